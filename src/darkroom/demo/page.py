"""Writes `index.html`: every result with what was asked, of whom, and how it went. It loads nothing from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib import resources
from io import BytesIO
from itertools import groupby
from pathlib import Path

from PIL import Image

from .jobs import Run
from .layout import ACCENTS, headline, ratio, scale, sizes, states, stripes, words
from .results import Picture, Source

SOURCE_HEIGHT = 400  # pixels of the embedded pictures that tasks began with


def write_page(runs: Sequence[Run], path: Path, took: float) -> Path:
    """Write the page beside its pictures; return its path."""
    sections = "\n".join(
        section(vendor, list(group), runs) for vendor, group in groupby(runs, key=lambda run: run.job.vendor.name)
    )
    style = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    path.write_text(
        f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Darkroom demo</title>
<style>
{style}</style>
<header>
<h1>Darkroom</h1>
<p>{headline(runs, took)} The bars show waiting in grey and work in colour, all on one scale.</p>
</header>
{sections}
<footer>Made by <code>darkroom demo</code>, on this machine's CPU alone.</footer>
</html>
""",
        "utf-8",
    )
    return path


def section(vendor: str, group: Sequence[Run], runs: Sequence[Run]) -> str:
    """The tasks of one vendor."""
    figures = "\n".join(figure(run, runs) for run in group)
    return f"""<section style="--accent:{ACCENTS[vendor]}">
<h2>{escape(vendor)} <small>{len(group)} tasks by its {"own " * (vendor == "Darkroom")}client</small></h2>
<div class="row">
{figures}
</div>
</section>"""


def figure(run: Run, runs: Sequence[Run]) -> str:
    """One task."""
    job = run.job
    pairs = "".join(pair(run, picture) for picture in run.pictures)
    bar = "".join(
        f'<span style="left:{stripe.begin:.1%};width:{stripe.end - stripe.begin:.1%};background:{stripe.colour}">'
        "</span>"
        for stripe in stripes(run, runs)
    )
    language, gloss = (' lang="zh"', f"<i>{escape(job.gloss)}</i>") if job.gloss else ("", "")
    return f"""<figure style="--ratio:{sum(map(ratio, run.pictures)):.3f}">
<div class="strip">{pairs}</div>
<figcaption>
<b>{escape(job.title)}</b>
<span{language}>{escape(job.prompt)}</span>{gloss}
<code>{escape(job.endpoint)} <span>{sizes(run, "×")}</span></code>
<div class="time">{bar}</div>
<span class="states">{escape(states(run, "→"))}</span>
</figcaption>
</figure>"""


def pair(run: Run, picture: Picture) -> str:
    """A result, after what it was made from."""
    before = "".join(
        shown_before(source, scale(source, picture), word)
        for source, word in zip(picture.sources, words(picture), strict=True)
    )
    after = "<span>after</span>" if picture.sources else ""
    alt = f"{run.job.title}: {run.job.gloss or run.job.prompt}"
    style = f"--ratio:{picture.width / picture.height:.3f}"
    if picture.clip is not None:
        result = f'<div style="{style}">{video(picture.clip, picture.path, alt)}{after}</div>'
    else:
        result = f'<a href="{picture.path.name}" style="{style}">{linked(picture, alt)}{after}</a>'
    return f"""<div class="pair" style="--ratio:{ratio(picture):.3f}">
{before}
{result}
</div>"""


def shown_before(source: Source, height: float, word: str) -> str:
    """What a result was made from, so high as part of the result."""
    alt = f"The picture with the {word}" if word == "face" else f"The {'clip' if source.clip else 'picture'} before"
    image = video(source.clip, source.path, alt) if source.clip else f'<img src="{embedded(source)}" alt="{alt}">'
    shape = f"--ratio:{source.width / source.height:.3f};--scale:{height:.3f}"
    return f'<div style="{shape}">{image}<span>{word}</span></div>'


def video(clip: Path, poster: Path, label: str) -> str:
    """A clip that plays when asked to."""
    return (
        f'<video src="{clip.name}" poster="{poster.name}" aria-label="{escape(label)}" controls muted loop playsinline>'
        "</video>"
    )


def linked(picture: Picture, alt: str) -> str:
    """A result, or its thumbnail where that is large enough."""
    small = ""
    if picture.thumbnail is not None:
        with Image.open(picture.thumbnail) as thumbnail:
            files = f"{picture.thumbnail.name} {thumbnail.width}w, {picture.path.name} {picture.width}w"
        small = f' srcset="{files}" sizes="300px"'
    return f'<img src="{picture.path.name}"{small} alt="{escape(alt)}">'


def embedded(source: Source) -> str:
    """A small copy of a picture, as a data URL."""
    with Image.open(source.path) as image:
        small = image.convert("RGB")
    small.thumbnail((SOURCE_HEIGHT, SOURCE_HEIGHT))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
