"""Makes one picture of several: which of them is what, by the words of the prompt or by what the pictures show.

What was chosen is always said in the warnings, for it is the first thing that a caller wants to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....core.errors import Code, TaskError
from .. import pictures, portrait
from ..pictures import Picture, Pixels, Size
from . import collage, cutout, mask, scene, transfer
from .plan import Layout

HOW_ELSE = "Words such as collage, blend, 'put the person of the second picture into the first' choose otherwise."


@dataclass(frozen=True, slots=True)
class Composed:
    """The result, what there is to say about it, and whether it is the first picture, changed."""

    picture: Picture
    notes: tuple[str, ...]
    is_first: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """All pictures, and who is in each: opacity, or None for nobody."""

    shown: Sequence[Picture]
    people: Sequence[Pixels | None]

    def with_people(self) -> list[int]:
        return [number for number, opacity in enumerate(self.people) if opacity is not None]

    def without_people(self) -> list[int]:
        return [number for number, opacity in enumerate(self.people) if opacity is None]


def compose(
    shown: Sequence[Picture], layout: Layout | None, size: Size | None, strength: float, area: Pixels | None
) -> Composed:
    """One picture of two or more.

    `size` is the result's, or None for that of the picture which it is made of; `area` is the mask of the first
    picture: whoever is put into it is put there.
    """
    layout = layout or Layout("compose")
    for number in (*layout.subjects, *(() if layout.ground is None else (layout.ground,))):
        if number >= len(shown):
            raise TaskError(
                Code.INVALID_INPUT,
                f"The prompt names picture {number + 1}, and the task has {len(shown)} pictures.",
                param="prompt",
            )
    match layout.kind:
        case "collage" | "row":
            return _collage(shown, size, one_row=layout.kind == "row")
        case "blend":
            return _blend(shown, size)
        case "colours":
            return _colours(shown, layout, size, strength)
    table = _Table(shown, [cutout.opacity_of(picture) for picture in shown])
    if layout.kind == "put":
        return _put(table, *_roles(table, layout), size, area)
    if layout.kind == "background":
        return _background(table, layout, size)
    return _suitable(table, size, area)


def _suitable(table: _Table, size: Size | None, area: Pixels | None) -> Composed:
    """Somebody and a scene belong together; other pictures are shown beside each other."""
    people, scenes = table.with_people(), table.without_people()
    if people and scenes:
        made = _put(table, people, scenes[0], size, area)
    else:
        made = _collage(table.shown, size, one_row=False)
    return replace(made, notes=(*made.notes, HOW_ELSE))


def _collage(shown: Sequence[Picture], size: Size | None, *, one_row: bool) -> Composed:
    made = collage.collage(shown, size, one_row=one_row)
    return Composed(made, (f"The {len(shown)} pictures were put side by side.",), is_first=False)


def _blend(shown: Sequence[Picture], size: Size | None) -> Composed:
    first = pictures.fit(shown[0], size) if size else shown[0]
    return Composed(
        transfer.exposed(first, list(shown[1:])), (f"The {len(shown)} pictures were blended.",), is_first=True
    )


def _colours(shown: Sequence[Picture], layout: Layout, size: Size | None, strength: float) -> Composed:
    source = layout.subjects[0] if layout.subjects else 1
    target = 0 if source else 1
    picture = pictures.fit(shown[target], size) if size else shown[target]
    made = transfer.colours(picture, shown[source], scene.survey(picture).skin, strength)
    note = f"Picture {target + 1} got the colours and contrast of picture {source + 1}; nothing else of its style."
    return Composed(made, (note, *_unused(shown, {source, target})), is_first=target == 0)


def _roles(table: _Table, layout: Layout) -> tuple[list[int], int]:
    """Who is put, and onto which picture."""
    subjects, ground = list(layout.subjects), layout.ground
    others = [number for number in range(len(table.shown)) if number not in subjects]
    if ground is None:
        empty = [number for number in table.without_people() if number in others]
        ground = (empty or others or [0])[0]
    if not subjects:
        subjects = [number for number in table.with_people() if number != ground]
    subjects = [number for number in subjects if number != ground]
    return subjects or [1 if ground == 0 else 0], ground


def _put(table: _Table, subjects: Sequence[int], ground: int, size: Size | None, area: Pixels | None) -> Composed:
    below = pictures.fit(table.shown[ground], size) if size else table.shown[ground]
    people = []
    for number in subjects:
        person = cutout.cut(table.shown[number])
        if person is None:
            raise _nobody(number)
        people.append(person)
    box = mask.bounds(area) if area is not None and ground == 0 else None
    made = cutout.put(below, people, box)
    who = _listed(subjects)
    note = f"Who is in {who} was put onto picture {ground + 1}, as large as it is."
    return Composed(made, (note, *_unused(table.shown, {*subjects, ground})), is_first=ground == 0)


def _background(table: _Table, layout: Layout, size: Size | None) -> Composed:
    """Another picture behind somebody who stays where they are."""
    (subject, *_), ground = _roles_behind(table, layout)
    opacity = table.people[subject]
    if opacity is None:
        raise _nobody(subject)
    front = table.shown[subject]
    if size:
        opacity = mask.fitted(opacity, size)
        front = pictures.fit(front, size)
    made = cutout.behind(front, opacity, pictures.fit(table.shown[ground], front.size))
    note = f"Picture {ground + 1} was put behind whoever is in picture {subject + 1}."
    return Composed(made, (note, *_unused(table.shown, {subject, ground})), is_first=subject == 0)


def _roles_behind(table: _Table, layout: Layout) -> tuple[list[int], int]:
    if layout.subjects or layout.ground is not None:
        return _roles(table, layout)
    subject = 0 if table.people[0] is not None else (table.with_people() or [0])[0]
    return _roles(table, replace(layout, subjects=(subject,)))


def _nobody(number: int) -> TaskError:
    return TaskError(
        Code.INVALID_MEDIA,
        f"Nobody can be cut out of picture {number + 1}. Send a picture that shows a person, "
        "or one whose background is transparent.",
        param="inputs",
    )


def _unused(shown: Sequence[Picture], used: set[int]) -> tuple[str, ...]:
    left = [number for number in range(len(shown)) if number not in used]
    return (f"{_listed(left).capitalize()} had no use.",) if left else ()


def _listed(numbers: Sequence[int]) -> str:
    """Such as "picture 2" or "pictures 2, 3 and 5"."""
    names = [str(number + 1) for number in numbers]
    if len(names) == 1:
        return f"picture {names[0]}"
    return f"pictures {', '.join(names[:-1])} and {names[-1]}"


def in_front_of(picture: Picture, colour: Pixels, opacity: Pixels) -> Picture:
    """People before a plain colour, uint8 (3,)."""
    plain = np.empty_like(picture.rgb)
    plain[...] = colour
    own = cutout.without_fringe(picture.rgb, opacity)
    return replace(picture, rgb=portrait.over(own, plain, opacity))
