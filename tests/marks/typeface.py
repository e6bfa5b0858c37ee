"""Makes small TrueType fonts whose letters are solid squares: what is drawn with them can be measured to the pixel."""

from __future__ import annotations

import struct
from pathlib import Path

EM = 1000
NO_LETTER = ((100, 0), (100, 200), (300, 200), (300, 0))  # the sign for what a font lacks
SQUARE = ((50, -50), (50, 850), (950, 850), (950, -50))  # nine tenths of the em, as Chinese letters are


def outline(points: tuple[tuple[int, int], ...]) -> bytes:
    xs, ys = zip(*points, strict=True)
    steps = [[value - before for value, before in zip(line, (0, *line), strict=False)] for line in (xs, ys)]
    content = struct.pack(">5h", 1, min(xs), min(ys), max(xs), max(ys)) + struct.pack(">HH", len(points) - 1, 0)
    content += b"\x01" * len(points) + b"".join(struct.pack(f">{len(line)}h", *line) for line in steps)
    return content + bytes(-len(content) % 4)


def cmap(letters: str) -> bytes:
    """Format 12, a group for each letter."""
    groups = sorted((ord(letter), glyph) for glyph, letter in enumerate(letters, 1))
    table = struct.pack(">HHIII", 12, 0, 16 + 12 * len(groups), 0, len(groups))
    table += b"".join(struct.pack(">III", code, code, glyph) for code, glyph in groups)
    return struct.pack(">HHHHI", 0, 1, 3, 10, 12) + table


def make(path: Path, letters: str) -> Path:
    """A font file that has these letters and no others."""
    glyphs = [outline(NO_LETTER), *(outline(SQUARE) for _ in letters)]
    places = [sum(map(len, glyphs[:number])) for number in range(len(glyphs) + 1)]
    count = len(glyphs)
    tables = {
        b"cmap": cmap(letters),
        b"glyf": b"".join(glyphs),
        b"head": struct.pack(
            ">IIIIHHqqhhhhHHhhh", 0x10000, 0, 0, 0x5F0F3CF5, 0, EM, 0, 0, 0, -50, EM, 900, 0, 8, 2, 1, 0
        ),
        b"hhea": struct.pack(">Ihhh H hhh hhh 4h hH", 0x10000, 900, -100, 0, EM, 0, 0, EM, 1, 0, 0, *[0] * 4, 0, count),
        b"hmtx": struct.pack(">Hh", EM, 0) * count,
        b"loca": struct.pack(f">{count + 1}I", *places),
        b"maxp": struct.pack(">IH13H", 0x10000, count, 4, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    start = 12 + 16 * len(tables)
    directory, content = b"", b""
    for tag, table in tables.items():
        directory += struct.pack(">4sIII", tag, 0, start + len(content), len(table))
        content += table + bytes(-len(table) % 4)
    path.write_bytes(struct.pack(">IHHHH", 0x10000, len(tables), 0, 0, 0) + directory + content)
    return path
