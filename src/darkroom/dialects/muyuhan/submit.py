"""What `/submitTask` means: one body in three encodings becomes a task, or a parent with one part for each picture.

The vendor's page is not public. Names of fields follow its sister application; docs/dialects/muyuhan.md has the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...core.commands import Command, Inline, Link, Source, Submit, Upload
from ...core.errors import Code, TaskError
from ...core.task import Operation
from .. import WireRequest
from .shapes import SubmitBody, TaskType

FILE_FIELDS = ("images", "images[]", "image", "file")

IMAGE_OPERATIONS = {
    TaskType.ENHANCE: Operation.IMAGE_ENHANCE,
    TaskType.FILTER: Operation.IMAGE_FILTER,
    TaskType.UPSCALE: Operation.IMAGE_UPSCALE,
}

STYLE_NAMES = (
    "cartoon",
    "watercolor",
    "oil",
    "pencil",
    "ink",
    "halftone",
    "lowpoly",
    "film",
    "neon",
    "pop",
    "pixel",
    "sepia",
    "noir",
    "comic",
)
STYLES = {str(number): name for number, name in enumerate(STYLE_NAMES, start=1)}

# https://doc.muyuhan.xin/api/face_wap/pix/image_config.html
SIZES = {
    "16:9": "992x558",
    "9:16": "558x992",
    "1:1": "992x992",
    "3:4": "744x992",
    "3:2": "992x661",
    "2:3": "661x992",
}
RATIOS = {str(number): size for number, size in enumerate(SIZES.values(), start=1)} | SIZES

MAX_PICTURES = 16
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


def submit(request: WireRequest) -> Command:
    """Create a task, or one for each picture."""
    body = read_body(request)
    kind = read_type(body)
    operation, parts = arrange(kind, read_pictures(body, request), body)
    return Submit(
        operation=operation,
        params=read_params(kind, operation, body),
        inputs=parts[0] if len(parts) == 1 else (),
        parts=parts if len(parts) > 1 else (),
        idempotency_key=request.headers.get("idempotency-key") or None,
        extra={"taskType": int(kind)},
    )


def read_body(request: WireRequest) -> SubmitBody:
    """The fields of a multipart, urlencoded or JSON body."""
    if not (request.form or request.files):
        return request.json(SubmitBody) if request.body.strip() else SubmitBody()

    def every(*names: str) -> list[Any]:
        return [value for name, value in request.form if name in names]

    return SubmitBody(
        task_type=request.field("taskType"),
        style_id=every("styleId", "styleId[]"),
        images=every(*FILE_FIELDS),
        file_name=every("fileName", "fileName[]"),
        content=request.field("content"),
        aspect_ratio=request.field("aspectRatio"),
        seed=request.field("seed"),
        scale=request.field("scale"),
    )


def read_type(body: SubmitBody) -> TaskType:
    """The kind of work that is asked for."""
    kind = whole_number(body.task_type, "taskType")
    if kind is None or not TaskType.FACE_SWAP <= kind <= TaskType.VIDEO:
        raise TaskError(
            Code.INVALID_INPUT,
            "'taskType' is 3 (face swap), 4 (enhance), 5 (filter), 6 (upscale) or 7 (video).",
            param="taskType",
        )
    return TaskType(kind)


def read_pictures(body: SubmitBody, request: WireRequest) -> tuple[Source, ...]:
    """Inputs in order: the files of this request, links in `images`, then the names of uploaded files."""
    strange = [item.field for item in request.files if item.field not in FILE_FIELDS]
    if strange:
        raise TaskError(Code.INVALID_INPUT, f"Send files in the field 'images', not '{strange[0]}'.", param=strange[0])
    found: list[Source] = [Upload(item.file.id) for item in request.files]
    found += [source(text, "images") for text in texts(body.images)]
    found += [source(text, "fileName") for value in texts(body.file_name) for text in split(value)]
    if len(found) > MAX_PICTURES:
        raise TaskError(Code.INVALID_INPUT, f"A task takes at most {MAX_PICTURES} pictures.", param="images")
    return tuple(found)


def source(text: str, param: str) -> Source:
    """A picture by its URL, as base64 data or by the name of an uploaded file."""
    if text.lower().startswith(("http://", "https://")):
        return Link(text)
    if text.lower().startswith("data:"):
        return Inline(text)
    if WHOLE_NUMBER.fullmatch(text):
        raise TaskError(
            Code.INVALID_INPUT,
            f"'{text}' is no name of a picture: send the 'fileName' that /picUpload answered, not its 'id'.",
            param=param,
        )
    return Upload(text)


def arrange(
    kind: TaskType, pictures: tuple[Source, ...], body: SubmitBody
) -> tuple[Operation, tuple[tuple[Source, ...], ...]]:
    """The operation, and the inputs of each part."""
    if kind is TaskType.VIDEO and len(pictures) < 2:
        if not (pictures or body.content):
            raise TaskError(Code.INVALID_INPUT, "A video needs a picture or 'content'.", param="images")
        return Operation.VIDEO_GENERATE, (pictures,)
    if kind in IMAGE_OPERATIONS:
        if not pictures:
            raise TaskError(
                Code.INVALID_INPUT, "Send a picture in 'images', or its 'fileName' from /picUpload.", param="images"
            )
        return IMAGE_OPERATIONS[kind], tuple((picture,) for picture in pictures)
    if len(pictures) < 2:
        raise TaskError(
            Code.INVALID_INPUT, "A face swap needs two pictures: first the face, then who gets it.", param="images"
        )
    operation = Operation.VIDEO_FACE_SWAP if kind is TaskType.VIDEO else Operation.IMAGE_FACE_SWAP
    return operation, tuple((pictures[0], target) for target in pictures[1:])


def read_params(kind: TaskType, operation: Operation, body: SubmitBody) -> dict[str, Any]:
    """Parameters that mean something for this kind of work; the app sends the others along with every task."""
    style, seed = read_style(body), whole_number(body.seed, "seed")
    params: dict[str, Any] = {}
    if seed is not None and seed >= 0:  # the vendor's -1 is "any"
        params["seed"] = seed
    if kind is TaskType.FILTER and style:
        params["style"] = style_name(style)
    if kind is TaskType.UPSCALE:
        params["scale"] = whole_number(body.scale, "scale") or 2
    if operation is Operation.VIDEO_GENERATE:
        params |= {"prompt": body.content} if body.content else {}
        params |= {"size": size} if (size := read_size(body)) else {}
    return params


def read_style(body: SubmitBody) -> str | None:
    """The one style that was sent; the parts of a task share their parameters."""
    styles = {text for value in texts(body.style_id) for text in split(value)} - {"0"}  # 0 is "no style"
    if len(styles) > 1:
        raise TaskError(Code.INVALID_INPUT, "Send one styleId: a task has one style.", param="styleId")
    return styles.pop() if styles else None


def style_name(style: str) -> str:
    """A style by its number or by its own name."""
    if WHOLE_NUMBER.fullmatch(style) and style not in STYLES:
        known = ", ".join(f"{number} {name}" for number, name in STYLES.items())
        raise TaskError(Code.INVALID_INPUT, f"There is no styleId {style}. There are: {known}.", param="styleId")
    return STYLES.get(style, style)


def read_size(body: SubmitBody) -> str | None:
    """Width and height for an aspect ratio, by its number or in words."""
    ratio = str(body.aspect_ratio).strip() if body.aspect_ratio is not None else ""
    if ratio in ("", "0"):
        return None
    if ratio not in RATIOS:
        raise TaskError(
            Code.INVALID_INPUT, f"'aspectRatio' is 1 to {len(SIZES)} for {', '.join(SIZES)}.", param="aspectRatio"
        )
    return RATIOS[ratio]


def whole_number(value: int | str | None, param: str) -> int | None:
    """A number that may come as text; blank counts as absent."""
    text = "" if value is None else str(value).strip()
    if text and not WHOLE_NUMBER.fullmatch(text):
        raise TaskError(Code.INVALID_INPUT, f"'{param}' must be a whole number.", param=param)
    return int(text) if text else None


def texts(value: int | str | list[str] | list[int | str] | None) -> list[str]:
    """A field that may be missing, single or repeated, as texts without blank ones."""
    if value is None:
        return []
    given = value if isinstance(value, list) else [value]
    return [text for item in given if (text := str(item).strip())]


def split(text: str) -> Iterator[str]:
    """The names in a list with commas; a link is one name, whatever is in it."""
    parts = [text] if ":" in text else text.split(",")
    return (name for part in parts if (name := part.strip()))
