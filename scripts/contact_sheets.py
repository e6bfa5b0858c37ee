"""Draws the contact sheets of the documentation, one an operation: docs/images/<name>.jpg.

    python scripts/contact_sheets.py                  # all of them
    python scripts/contact_sheets.py edit filters     # some

Every picture is made by a built-in engine, from the sample portraits and from what procedural-v1 draws. A sheet is a
function that returns tiles; to add one, write it and name it in `SHEETS`.
"""

from __future__ import annotations

import io
import itertools
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from darkroom.core.task import Operation
from darkroom.engines import Job
from darkroom.engines._child import Report
from darkroom.engines._video.reading import open_clip
from darkroom.engines.opencv import STYLES
from darkroom.engines.opencv import work as opencv
from darkroom.engines.procedural import jobs as procedural

IMAGES = Path(__file__).parents[1] / "docs" / "images"
HEAVIEST = 400_000  # bytes of a sheet
QUALITIES = (88, 84, 80, 75, 70, 64, 58, 50)
GAP, CAPTION = 8, 26
PAPER, INK = (250, 250, 248), (40, 42, 46)
LANDSCAPES = ("summer meadow, hills and trees, day", "a lake and forest in summer, day", "city skyline by day")


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture and what it says below it."""

    image: Image.Image
    caption: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """Tiles of one size, in rows of so many."""

    tiles: Sequence[Tile]
    columns: int
    size: tuple[int, int]


class Unheard:
    """A `Report` that nobody reads."""

    def progress(self, percent: int, note: str = "") -> None:
        """Take note of nothing."""

    def preview(self, picture: Path) -> None:
        """Look at nothing."""


class Studio:
    """Does jobs in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self.astronaut, self.admiral = (self._sample(name) for name in ("astronaut.png", "grace_hopper.jpg"))

    def _sample(self, name: str) -> Path:
        with resources.as_file(resources.files("darkroom").joinpath("samples", name)) as path:
            return self.saved(Image.open(path).convert("RGB"))

    def saved(self, image: Image.Image) -> Path:
        """A picture as a file without loss."""
        path = self._folder / f"{next(self._numbers)}.png"
        image.save(path, compress_level=1)
        return path

    def make(
        self, run: Callable[[Job, Report], Any], operation: Operation, model: str, *inputs: Path, **params: Any
    ) -> Path:
        """Do one job; its first result."""
        workdir = self._folder / f"job-{next(self._numbers)}"
        workdir.mkdir()
        job = Job(
            task_id="sheet", attempt=1, operation=operation, model=model, params=params, count=1, inputs=inputs,
            workdir=workdir,
        )  # fmt: skip
        path: Path = run(job, Unheard())[0].path
        return path

    def scene(self, prompt: str, size: str = "768x512", seed: int = 3) -> Path:
        """A picture that procedural-v1 draws."""
        params = {"prompt": prompt, "size": size, "seed": seed, "format": "png", "quality": 90}
        return self.make(procedural.run, Operation.IMAGE_GENERATE, "procedural-v1", **params)

    def edited(self, prompt: str, *inputs: Path, **params: Any) -> Path:
        """An edit by edit-v1."""
        return self.make(opencv.run, Operation.IMAGE_EDIT, "edit-v1", *inputs, prompt=prompt, **params)


def filters(studio: Studio) -> Sheet:
    """Every style of filters-v1."""
    tiles = [_tile(studio.astronaut, "original")]
    for style in STYLES:
        made = studio.make(opencv.run, Operation.IMAGE_FILTER, "filters-v1", studio.astronaut, style=style)
        tiles.append(_tile(made, style))
    return Sheet(tiles, 5, (300, 300))


def edit(studio: Studio) -> Sheet:
    """What the words of edit-v1 do."""
    meadow, lake, city = (studio.scene(prompt, seed=seed) for prompt, seed in zip(LANDSCAPES, (3, 5, 4), strict=True))
    right = Image.new("L", Image.open(studio.admiral).size)
    right.paste(255, (right.width // 2, 0, right.width, right.height))
    tiles = []
    for picture, prompts in (
        (meadow, ("autumn", "in winter", "in spring", "golden hour")),
        (lake, ("at sunset", "at night", "misty sunrise", "in blue tones")),
        (city, ("blue hour", "in the rain", "fog", "teal and orange")),
    ):
        tiles.append(_tile(picture, "as it was"))
        tiles += [_tile(studio.edited(prompt, picture), prompt) for prompt in prompts]
    portraits = ("blur the background", "white background", "make the background black and white", "pastel palette")
    tiles += [_tile(studio.edited(prompt, studio.admiral), prompt, top=True) for prompt in portraits]
    mask = studio.saved(right)
    tiles.append(_tile(studio.edited("pencil", studio.admiral, mask, mask=1), "pencil, with a mask", top=True))
    several = (
        ("put picture 2 into picture 1", (meadow, studio.astronaut)),
        ("put picture 2 into picture 1, at sunset", (city, studio.astronaut)),
        ("put pictures 1 and 2 into picture 3", (studio.astronaut, studio.admiral, lake)),
        ("double exposure", (studio.admiral, lake)),
        ("collage", (studio.astronaut, studio.admiral, meadow, lake, city)),
    )
    tiles += [_tile(studio.edited(prompt, *inputs), prompt) for prompt, inputs in several]
    return Sheet(tiles, 5, (330, 220))


def enhance(studio: Studio) -> Sheet:
    """Pictures with a fault, and what enhance-v1 makes of them."""
    light = np.asarray(Image.open(studio.admiral)).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 20, light.shape)
    faults = {
        "35 % of its light": light * 0.35,
        "warm cast": light * (1.12, 0.95, 0.7),
        "half the contrast": 64 + light / 2,
        "noise": light + noise,
    }
    before = {name: studio.saved(Image.fromarray(each.clip(0, 255).astype(np.uint8))) for name, each in faults.items()}
    tiles = [_tile(path, name, top=True) for name, path in before.items()]
    for path in before.values():
        made = studio.make(opencv.run, Operation.IMAGE_ENHANCE, "enhance-v1", path)
        tiles.append(_tile(made, "enhanced", top=True))
    return Sheet(tiles, len(before), (340, 360))


def upscale(studio: Studio) -> Sheet:
    """A small portrait, enlarged four times."""
    small = Image.open(studio.admiral).crop((160, 110, 370, 320)).resize((105, 105), Image.Resampling.LANCZOS)
    path = studio.saved(small)
    tiles = [Tile(small.resize((420, 420), Image.Resampling.NEAREST), "105x105")]
    for method in ("lanczos", "network"):
        made = studio.make(opencv.run, Operation.IMAGE_UPSCALE, "upscale-v1", path, scale=4, method=method)
        tiles.append(_tile(made, method))
    return Sheet(tiles, 3, (420, 420))


def face_swap(studio: Studio) -> Sheet:
    """Both sample portraits with each other's face."""
    pair = (studio.astronaut, studio.admiral)
    tiles = [_tile(path, name, top=True) for path, name in zip(pair, ("one", "the other"), strict=True)]
    for target, name in zip(pair, ("one with the other's face", "the other with one's face"), strict=True):
        source = pair[1] if target is pair[0] else pair[0]
        made = studio.make(opencv.run, Operation.IMAGE_FACE_SWAP, "faceswap-v1", source, target)
        tiles.append(_tile(made, name, top=True))
    return Sheet(tiles, 4, (340, 360))


def generate(studio: Studio) -> Sheet:
    """What procedural-v1 draws: scenes, subjects with their numbers and colours, and styles."""
    prompts = (
        ("three red balloons over the sea", 3),
        ("five sailboats at sunset", 3),
        ("a lone tree in spring by day", 3),
        ("two swans on a lake at sunrise", 3),
        ("a red house on a hill by day", 7),
        ("a lighthouse by the sea at sunset", 3),
        ("five hot air balloons over mountains", 9),
        ("city at night, neon, rain", 3),
        ("a pagoda in the mountains, autumn", 5),
        ("a tent and a campfire at night", 5),
        ("a camel and two cacti in the desert", 6),
        ("a field of tulips by day", 5),
        ("three planets and a rocket in space", 4),
        ("lanterns over a lake at night", 6),
        ("a snowman and two pine trees in winter", 5),
        ("a cat in the city at night", 5),
        ("two mountains, aurora", 5),
        ("abstract waves in blue and gold", 8),
        ("a castle, watercolour", 7),
        ("three cranes over a mountain lake by day, ink wash", 8),
        ("a windmill and cows by day, oil painting", 4),
        ("a couple on the beach at sunset, poster", 5),
        ("a sailboat on a lake, pixel art", 6),
        ("a deer in the forest, low poly", 2),
    )
    return Sheet([_tile(studio.scene(prompt, seed=seed), prompt) for prompt, seed in prompts], 4, (340, 227))


def video(studio: Studio) -> Sheet:
    """Filmstrips: a scene that comes alive, and the same in a style."""
    params = {"prompt": "a lake in snowfall, zoom in", "seed": 2, "duration": 2, "fps": 12, "size": "480x270"}
    film = studio.make(procedural.run, Operation.VIDEO_GENERATE, "procedural-video-v1", **params)
    strips = {"video.generate": film}
    for style in ("watercolor", "cartoon"):
        made = studio.make(opencv.run, Operation.VIDEO_FILTER, "video-filters-v1", film, style=style)
        strips[f"video.filter, {style}"] = made
    tiles = []
    for name, path in strips.items():
        with open_clip(path) as clip:
            frames = clip.sample(0.02, 0.3, 0.6, 0.95)
        tiles += [Tile(Image.fromarray(frame), name if place == 0 else "") for place, frame in enumerate(frames)]
    return Sheet(tiles, 4, (320, 180))


SHEETS: Mapping[str, Callable[[Studio], Sheet]] = {
    "edit": edit,
    "enhance": enhance,
    "face_swap": face_swap,
    "filters": filters,
    "generate": generate,
    "upscale": upscale,
    "video": video,
}


def _tile(path: Path, caption: str, *, top: bool = False) -> Tile:
    """A result; with `top` its upper part is shown, where faces are."""
    image = Image.open(path).convert("RGB")
    if top:
        image = image.crop((0, 0, image.width, min(image.height, image.width)))
    return Tile(image, caption)


def printed(sheet: Sheet) -> bytes:
    """The sheet as a jpeg file that is not too heavy; each picture is whole or cropped a little, never bent."""
    width, height = sheet.size
    rows = -(-len(sheet.tiles) // sheet.columns)
    page = Image.new("RGB", (GAP + sheet.columns * (width + GAP), GAP + rows * (height + CAPTION + GAP)), PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for number, tile in enumerate(sheet.tiles):
        row, column = divmod(number, sheet.columns)
        left, top = GAP + column * (width + GAP), GAP + row * (height + CAPTION + GAP)
        page.paste(ImageOps.fit(tile.image, sheet.size, Image.Resampling.LANCZOS, centering=(0.5, 0.35)), (left, top))
        draw.text((left + 2, top + height + 4), tile.caption, INK, font)
    for quality in QUALITIES:
        file = io.BytesIO()
        page.save(file, "JPEG", quality=quality, optimize=True, progressive=True)
        if file.tell() < HEAVIEST:
            break
    return file.getvalue()


def main(names: Sequence[str]) -> None:
    """Draw the sheets that are named, or all."""
    for name in names or SHEETS:
        if name not in SHEETS:
            sys.exit(f"there is no sheet {name!r}; there are: {', '.join(SHEETS)}")
    for name in names or SHEETS:
        with tempfile.TemporaryDirectory(prefix="darkroom-sheet-") as folder:
            content = printed(SHEETS[name](Studio(Path(folder))))
        (IMAGES / f"{name}.jpg").write_bytes(content)
        print(f"docs/images/{name}.jpg, {len(content) // 1000} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
