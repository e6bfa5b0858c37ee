"""What a picture's EXIF says about how it was taken, and how a result says it again.

Guarantees: camera, lens and settings, times, the place, and who made the picture and owns it are kept word for word.
What describes the file and its pixels is left out, for the result has its own (orientation, sizes, colour space,
thumbnails); and so are makers' notes, whose inner addresses would not survive. Broken EXIF is passed over, and so is
what is too long.
"""

from __future__ import annotations

import struct

from PIL import Image
from PIL.ExifTags import IFD, Base

# Of the main directory; that of a TIFF file also holds where its pixels lie.
KEPT = frozenset(
    {
        Base.ImageDescription,
        Base.Make,
        Base.Model,
        Base.DateTime,
        Base.Artist,
        Base.Copyright,
        Base.Rating,
        Base.RatingPercent,
        Base.XPTitle,
        Base.XPComment,
        Base.XPAuthor,
        Base.XPKeywords,
        Base.XPSubject,
    }
)
LEFT_OUT = frozenset(
    {
        Base.ColorSpace,
        Base.ExifImageWidth,
        Base.ExifImageHeight,
        Base.ExifInteroperabilityOffset,
        Base.MakerNote,
        Base.Gamma,
        Base.CompressedBitsPerPixel,
        Base.ComponentsConfiguration,
    }
)
SRGB = 1
LONGEST = 60_000  # bytes; a JPEG file has room for 65,533
# What Pillow raises for values that are not of the type that their tag says.
BROKEN = (struct.error, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError, SyntaxError)


def facts(image: Image.Image) -> bytes:
    """What is worth keeping of an open picture's EXIF; empty where there is none."""
    try:
        given = image.getexif()
        kept = Image.Exif()
        for tag, value in given.items():
            if tag in KEPT:
                kept[tag] = value
        for ifd in (IFD.Exif, IFD.GPSInfo):
            entries = {tag: value for tag, value in given.get_ifd(ifd).items() if tag not in LEFT_OUT}
            if entries:
                kept.get_ifd(ifd).update(entries)
                kept[ifd] = kept.get_ifd(ifd)
        found = kept.tobytes() if len(kept) else b""
    except BROKEN:
        return b""
    return found if len(found) <= LONGEST else b""


def of_result(kept: bytes, size: tuple[int, int], made_by: str) -> Image.Exif:
    """The EXIF of a result: the facts of its input, its own size if there are any, and what made it."""
    exif = Image.Exif()
    if kept:
        exif.load(kept)
        own = exif.get_ifd(IFD.Exif)
        own[Base.ColorSpace] = SRGB
        own[Base.ExifImageWidth], own[Base.ExifImageHeight] = size
        exif[IFD.Exif] = own
    exif[Base.Software] = made_by
    return exif
