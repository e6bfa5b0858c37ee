"""The label that people see: a text on a dark plate in a corner or at an edge of every picture and every frame.

Its letters are at least 5 % of the shorter side high, as GB 45438-2025 asks for. Importing this costs nothing: Pillow
is imported by what draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageFont

PLACES = {  # shares of the room beside the plate that are left of it and above it
    "top-left": (0.0, 0.0),
    "top": (0.5, 0.0),
    "top-right": (1.0, 0.0),
    "bottom-left": (0.0, 1.0),
    "bottom": (0.5, 1.0),
    "bottom-right": (1.0, 1.0),
}
LONGEST = 60  # characters
HEIGHT = 0.05  # of the shorter side
READABLE = 10  # pixels that letters have at least if the plate then covers no more than
MOST_COVERED = 0.5  # of the picture
LARGE = 1000  # pixels of a font that is measured
WIDEST = 0.9  # of the width for one line
DARKNESS = 184  # of 255: how much of what is behind the plate is covered
UNASSIGNED = "\U0010fffd"  # a character that no font has


@dataclass(frozen=True, slots=True)
class Label:
    """The text, where it is, and the file of its font; without one it is Pillow's own, which knows Latin letters."""

    text: str
    place: str = "bottom-right"
    font: Path | None = None


@dataclass(frozen=True, slots=True)
class Plate:
    """A label ready to be laid on: grey values, how much of each pixel they cover, and the upper left corner."""

    ink: Image.Image
    cover: Image.Image
    corner: tuple[int, int]


def lacking(label: Label) -> str:
    """The characters that the label's font has not; `OSError` when it is no font that can be read."""
    font = font_of(label, 40)
    unknown = drawn(font, UNASSIGNED)
    return "".join(letter for letter in dict.fromkeys(label.text) if letter != " " and drawn(font, letter) == unknown)


def drawn(font: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    """What a font shows for a character."""
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def font_of(label: Label, size: int) -> ImageFont.FreeTypeFont:
    """The label's font at a size in pixels."""
    from PIL import ImageFont

    if label.font is not None:
        return ImageFont.truetype(label.font, size)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # as in every wheel of Pillow
    return font


def plate(label: Label, size: tuple[int, int]) -> Plate:
    """The label for pictures of a size; a plate that does not fit is cut off."""
    from PIL import Image, ImageDraw

    width, height = size
    least = HEIGHT * min(size)
    for letters in dict.fromkeys((max(least, READABLE), least)):
        font = letters_of(label, letters)
        lines = "\n".join(broken(label.text, font, WIDEST * width))
        padding, space = math.ceil(letters / 2), math.ceil(letters / 3)
        canvas = ImageDraw.Draw(Image.new("L", (1, 1)))
        left, top, right, bottom = (
            round(side) for side in canvas.multiline_textbbox((0, 0), lines, font, spacing=space)
        )
        wide, high = right - left + 2 * padding, bottom - top + 2 * padding
        if wide * high <= MOST_COVERED * width * height:
            break
    text = Image.new("L", (wide, high))
    ImageDraw.Draw(text).multiline_text((padding - left, padding - top), lines, 255, font, spacing=space)
    margin = math.ceil(letters / 2)
    across, down = PLACES[label.place]
    corner = (
        max(0, round(margin + (width - wide - 2 * margin) * across)),
        max(0, round(margin + (height - high - 2 * margin) * down)),
    )
    box = (0, 0, min(wide, width), min(high, height))
    corner = (min(corner[0], width - box[2]), min(corner[1], height - box[3]))
    cover = text.point([max(value, DARKNESS) for value in range(256)])
    return Plate(text.crop(box), cover.crop(box), corner)


def letters_of(label: Label, height: float) -> ImageFont.FreeTypeFont:
    """The font at a size at which the label's highest letter is at least so many pixels high, blurred edges aside."""
    large = font_of(label, LARGE)
    boxes = [large.getbbox(letter) for letter in set(label.text)]
    highest = max(bottom - top for _, top, _, bottom in boxes)
    return font_of(label, math.ceil((height + 1) * LARGE / max(highest, 1)))


def broken(text: str, font: ImageFont.FreeTypeFont, width: float) -> Sequence[str]:
    """The text in lines of at most that width, between words or, where there are none, between letters."""
    lines = [""]
    for word in text.split(" "):
        together = f"{lines[-1]} {word}".strip()
        if font.getlength(together) <= width:
            lines[-1] = together
            continue
        lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return [line for line in lines if line]
