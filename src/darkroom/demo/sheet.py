"""Draws `contact-sheet.png`: all results on one picture, rows of equal height, one row for each API.

A clip is shown by one of its frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .jobs import Run
from .layout import ACCENTS, headline, ratio, scale, sizes, states, stripes, words

WIDTH = 1600
MARGIN = 48
GAP = 24  # between tasks
SEAM = 3  # between the pictures of a task
HEADER = 132
TITLE = 44  # a vendor's name
CAPTION = 138  # what stands below pictures
BACKGROUND, TRACK = "#101216", "#22262e"
BRIGHT, PLAIN, DIM = "#e9ebf0", "#c0c5d0", "#8b92a2"


def write_sheet(runs: Sequence[Run], path: Path, took: float) -> None:
    """Draw the sheet of all tasks."""
    rows = [list(group) for _, group in groupby(runs, key=lambda run: run.job.vendor.name)]
    heights = [row_height(row) for row in rows]
    height = HEADER + sum(heights) + len(rows) * (TITLE + CAPTION) + MARGIN
    sheet = Image.new("RGB", (WIDTH, height), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 36), "Darkroom", BRIGHT, font(40))
    draw.text((MARGIN, 88), headline(runs, took), PLAIN, font(19))
    top = HEADER
    for row, tall in zip(rows, heights, strict=True):
        draw_row(sheet, row, runs, top, tall)
        top += TITLE + tall + CAPTION
    sheet.save(path)


def row_height(row: Sequence[Run]) -> int:
    """How high pictures are so that the row is as wide as the sheet."""
    pictures = [picture for run in row for picture in run.pictures]
    shown = sum(1 + len(picture.sources) for picture in pictures)
    between = (shown - len(row)) * SEAM + (len(row) - 1) * GAP
    return int((WIDTH - 2 * MARGIN - between) / sum(map(ratio, pictures)))


def draw_row(sheet: Image.Image, row: Sequence[Run], runs: Sequence[Run], top: int, tall: int) -> None:
    """One vendor."""
    draw = ImageDraw.Draw(sheet)
    vendor = row[0].job.vendor.name
    draw.ellipse((MARGIN, top + 12, MARGIN + 12, top + 24), ACCENTS[vendor])
    draw.text((MARGIN + 22, top + 18), vendor, BRIGHT, font(22), anchor="lm")
    left, bottom = MARGIN, top + TITLE + tall
    for run in row:
        begin = left
        for picture in run.pictures:
            for source, word in zip(picture.sources, words(picture), strict=True):
                high = round(tall * scale(source, picture))
                left += paste(sheet, source.path, word, (left, bottom), high, playing=source.clip is not None) + SEAM
            word = "after" if picture.sources else ""
            left += paste(sheet, picture.path, word, (left, bottom), tall, playing=picture.clip is not None) + SEAM
        left -= SEAM
        caption(draw, run, runs, (begin, bottom), left - begin)
        left += GAP


def paste(sheet: Image.Image, path: Path, word: str, corner: tuple[int, int], tall: int, *, playing: bool) -> int:
    """Show a picture of this height above its lower left corner, with a word on it; return its width.

    A triangle marks the frame of a clip.
    """
    left, bottom = corner
    with Image.open(path) as image:
        wide = round(tall * image.width / image.height)
        sheet.paste(image.convert("RGB").resize((wide, tall), Image.Resampling.LANCZOS), (left, bottom - tall))
    draw = ImageDraw.Draw(sheet)
    if playing:
        x, y = left + wide - 24, bottom - 21
        draw.ellipse((x - 12, y - 12, x + 12, y + 12), "#16181d")
        draw.polygon(((x - 4, y - 6), (x - 4, y + 6), (x + 7, y)), BRIGHT)
    if word:
        length = draw.textlength(word, font(14))
        draw.rounded_rectangle((left + 8, bottom - 32, left + 24 + length, bottom - 9), 11, "#16181d")
        draw.text((left + 16, bottom - 21), word, BRIGHT, font(14), anchor="lm")
    return wide


def caption(draw: ImageDraw.ImageDraw, run: Run, runs: Sequence[Run], place: tuple[int, int], wide: int) -> None:
    """What was asked for, and how it went. The font has no Chinese letters: such a prompt is shown in English."""
    left, top = place
    job = run.job
    accent = ACCENTS[job.vendor.name]
    for stripe in [None, *stripes(run, runs)]:
        begin, end, colour = (stripe.begin, stripe.end, stripe.colour) if stripe else (0.0, 1.0, TRACK)
        draw.rectangle((left + begin * wide, top + 12, left + end * wide, top + 17), colour)
    prompt = f"(Chinese) {job.gloss}" if job.gloss else job.prompt
    lines = (
        (job.title, BRIGHT, 19),
        (prompt, PLAIN, 16),
        (f"{job.endpoint}   {sizes(run, ' x ')}", accent, 15),
        (states(run, ">"), DIM, 15),
    )
    top += 26
    for text, colour, size in lines:
        draw.text((left, top), shortened(draw, text, wide, font(size)), colour, font(size))
        top += size + 6


def shortened(draw: ImageDraw.ImageDraw, text: str, wide: int, face: ImageFont.FreeTypeFont) -> str:
    """A text that fits a width."""
    while draw.textlength(text, face) > wide:
        text = text.rstrip("…")[:-1].rstrip() + "…"
    return text


def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font; it is scalable wherever Pillow has FreeType, as all its wheels do."""
    face = ImageFont.load_default(size)
    assert isinstance(face, ImageFont.FreeTypeFont)
    return face
