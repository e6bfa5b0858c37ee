"""Files of every format that can be marked, and readers of the marks in them."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import numpy
from PIL import Image, ImageCms, ImageSequence, PngImagePlugin

from darkroom.marks import Mark, SourceType, mark

EXIFTOOL = shutil.which("exiftool")
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FACTS = Mark(
    model="city-v1",
    task_id="task_0000000001",
    digital_source_type=SourceType.GENERATED_WITHOUT_AI,
    created=1_790_000_000_123,
    prompt='a <b>"castle"</b> & \'moat\' ]]> 城堡 🏰\n<?xpacket end="w"?>',
    software="Darkroom 9.8",
)
TOLD = {
    "DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia",
    "CreatorTool": "Darkroom 9.8",
    "CreateDate": "2026-09-21T14:13:20+00:00",
    "model": "city-v1",
    "taskId": "task_0000000001",
    "description": FACTS.prompt,
}
FOREIGN = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="uuid:1" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" dc:format="image/odd" e:DigitalSourceType="digitalCapture">'
    '<TC260:AIGC>{"Label":"1"}</TC260:AIGC></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()


def picture(mode: str = "RGB") -> Image.Image:
    """Something with edges and colours, half transparent where the mode can tell."""
    image = Image.merge(
        "RGB", [Image.radial_gradient("L").rotate(turn).crop((20, 60, 117, 141)) for turn in (0, 30, 60)]
    )
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def film(path: Path, faststart: bool = True) -> None:
    """Five frames of video."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(5):
            frame = av.VideoFrame.from_ndarray(numpy.full((48, 64, 3), 40 * shade, numpy.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def animation(path: Path, **options: Any) -> None:
    picture().save(path, save_all=True, append_images=[picture().rotate(turn) for turn in (90, 180)], **options)


def texts() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a title")
    info.add_itxt("Comment", "ein Schloß", zip=True)
    return info


def exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = "a castle"
    return exif


MAKERS: dict[str, Callable[[Path], None]] = {
    "plain.png": lambda path: picture("RGBA").save(path, icc_profile=ICC, pnginfo=texts()),
    "palette.png": lambda path: picture().convert("P").save(path, transparency=3),
    "moving.png": lambda path: animation(path, duration=[40, 80, 120], loop=3),
    "plain.jpg": lambda path: picture().save(path, icc_profile=ICC, exif=exif(), comment=b"a comment"),
    "progressive.jpg": lambda path: picture().convert("CMYK").save(path, progressive=True),
    "several.jpg": lambda path: picture().save(path, "MPO", save_all=True, append_images=[picture().rotate(90)]),
    "lossy.webp": lambda path: picture().save(path),
    "lossless.webp": lambda path: picture("RGBA").save(path, lossless=True),
    "opaque.webp": lambda path: picture().save(path, lossless=True),
    "extended.webp": lambda path: picture("RGBA").save(path, icc_profile=ICC, exif=exif()),
    "moving.webp": lambda path: animation(path, duration=[40, 80, 120], loop=3),
    "plain.gif": lambda path: picture().save(path),
    "moving.gif": lambda path: animation(path, duration=[40, 80, 120], loop=3, comment=b"a comment"),
    "plain.avif": lambda path: picture("RGBA").save(path, icc_profile=ICC, exif=exif()),
    "moving.avif": animation,
    "fast.mp4": film,
    "slow.mp4": lambda path: film(path, faststart=False),
    "plain.mov": film,
}
TYPES = {"jpg": "image/jpeg", "mp4": "video/mp4", "mov": "video/quicktime"}
FORMATS = (
    "plain.png",
    "plain.jpg",
    "lossy.webp",
    "extended.webp",
    "moving.gif",
    "plain.avif",
    "moving.avif",
    "fast.mp4",
)


def put(path: Path, facts: Mark = FACTS) -> Path:
    extension = path.suffix[1:]
    mark(path, TYPES.get(extension, f"image/{extension}"), facts)
    return path


def packet_of(path: Path) -> bytes:
    """The XMP packet of a file, without the code that wrote it."""
    content = path.read_bytes()
    if path.suffix == ".gif":
        assert content.count(b"XMP DataXMP") == 1
        return content.partition(b"XMP DataXMP")[2].partition(b"\x01\xff\xfe\xfd")[0]
    if content[4:8] == b"ftyp" and content[8:12] != b"avif":
        position, found = 0, []
        while position < len(content):
            (length,) = struct.unpack_from(">I", content, position)
            if content[position + 4 : position + 24] == b"uuid" + XMP_BOX:
                found.append(content[position + 24 : position + length])
            position += length
        return found[0] if len(found) == 1 else b""
    with Image.open(path) as image:
        packet = image.info["xmp"]
        assert isinstance(packet, bytes)
        return packet


def told(packet: bytes) -> dict[str, str]:
    """The facts of a packet by their local names; each must be told once."""
    facts: dict[str, str] = {}
    for description in ElementTree.fromstring(packet.decode()).iter(
        "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
    ):
        pairs = [*description.items(), *((fact.tag, "".join(fact.itertext())) for fact in description)]
        for name, text in pairs:
            local = name.rpartition("}")[2]
            assert local == "about" or local not in facts
            facts[local] = text
    del facts["about"]
    return facts


def exiftool(*paths: Path) -> list[dict[str, Any]]:
    assert EXIFTOOL
    command = [
        EXIFTOOL,
        "-json",
        "-struct",
        "-charset",
        "utf8",
        "-validate",
        "-warning",
        "-XMP:all",
        "-d",
        "%s",
        *map(str, paths),
    ]
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def seen(path: Path) -> list[Any]:
    """All that a viewer sees: every frame with its pixels, colours and timing."""
    if path.suffix in {".mp4", ".mov"}:
        with av.open(str(path)) as container:
            return [(frame.pts, frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]
    with Image.open(path) as image:
        return [
            (frame.mode, frame.size, frame.tobytes(), frame.info.get("icc_profile"), frame.info.get("transparency"),
             frame.info.get("duration"), frame.info.get("loop"), dict(frame.getexif()), frame.info.get("comment"))
            for frame in ImageSequence.Iterator(image)
        ]  # fmt: skip


def insert(path: Path, place: int, content: bytes) -> Path:
    path.write_bytes(path.read_bytes()[:place] + content + path.read_bytes()[place:])
    return path
