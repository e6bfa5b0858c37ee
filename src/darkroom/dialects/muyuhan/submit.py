"""`/submitTask`: one body in three encodings becomes a task, or a parent with one part for each picture.

The vendor's page is not public. Names of fields follow its sister application's,
https://doc.muyuhan.xin/api/pic_master/images/submit_task.html; docs/dialects/muyuhan.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...core.commands import Command, Inline, Link, Source, Submit, TaskResult, Upload
from ...core.errors import Code, TaskError
from ...core.task import Operation
from .. import Endpoint, WireRequest, WireResponse, answer
from .bodies import WHOLE_NUMBER, form_of
from .envelope import ErrorBody, Success
from .files import FILE_FIELDS
from .image_config import SIZES, even
from .options import Template
from .shapes import STATES, TaskType, number
from .templates import Templates

Parts = tuple[tuple[Source, ...], ...]
Number = int | str | None
Several = int | str | list[int | str] | None

IMAGE_OPERATIONS = {
    TaskType.ENHANCE: Operation.IMAGE_ENHANCE,
    TaskType.FILTER: Operation.IMAGE_FILTER,
    TaskType.UPSCALE: Operation.IMAGE_UPSCALE,
}
STYLED = frozenset({TaskType.FACE_SWAP, TaskType.FILTER, TaskType.VIDEO})
RATIOS = {str(number): size for number, size in enumerate(SIZES.values(), start=1)} | SIZES
MAX_PICTURES = 16


class SubmitBody(msgspec.Struct, rename="camel"):
    """What `/submitTask` takes; numbers may be text."""

    task_type: Annotated[
        Number, Meta(description="3 face swap, 4 enhance, 5 filter, 6 upscale, 7 video.", examples=[5])
    ] = None
    images: Annotated[
        str | list[str] | None,
        Meta(description="Pictures: files, http addresses or data: URLs; for a face swap the face first."),
    ] = None
    file_name: Annotated[Several, Meta(description="Pictures from `/picUpload`; several may have commas between.")] = (
        None
    )
    style_id: Annotated[Several, Meta(description="A template of `/imageGroupList`, or a filter's name.")] = None
    content: Annotated[
        str | None, Meta(description="What to show: for videos, and in place of a template's prompt.")
    ] = None
    aspect_ratio: Annotated[
        Number, Meta(description="Of a video: an id of `/imageVideoConfig`, or such as 16:9.", examples=["16:9"])
    ] = None
    seed: Annotated[Number, Meta(description="Repeats a result; below 0 is any.")] = None
    scale: Annotated[Number, Meta(description="Upscaling: 2 or 4 times.")] = None
    app_id: Annotated[Number, Meta(description="The app. Not looked at.", examples=["com.example.app"])] = None
    udid: Annotated[Number, Meta(description="The device. Not looked at.", examples=["6F9619FF-8B86"])] = None


class SubmittedView(msgspec.Struct, rename="camel"):
    """A task that was just made; both pairs of names say the same, for clients of either generation."""

    prompt_id: Annotated[str, Meta(description="For `/getTaskInfo`.")]
    custom_task_id: Annotated[str, Meta(description="The same.")]
    task_id: Annotated[int, Meta(description="A running number.")]
    id: Annotated[int, Meta(description="The same.")]
    state: Annotated[int, Meta(description="10 queued.", examples=[10])]


class SubmittedBody(Success, kw_only=True):
    """The answer of `/submitTask`."""

    data: SubmittedView


def submit(request: WireRequest, templates: Templates) -> Command:
    """Create a task, or one for each picture."""
    body = read_body(request)
    kind = read_type(body)
    style = read_style(body) if kind in STYLED else None
    template = templates.chosen(style, kind) if style else None
    if style and template is None and kind is not TaskType.FILTER:
        raise TaskError(Code.INVALID_INPUT, "'styleId' is the number of a template.", param="styleId")
    operation, parts = arrange(kind, read_pictures(body, request), template, body)
    return Submit(
        operation=operation,
        model=templates.models.get(operation),
        params=read_params(operation, template.style if template else style, template, body),
        inputs=parts[0] if len(parts) == 1 else (),
        parts=parts if len(parts) > 1 else (),
        extra={"taskType": int(kind)} | ({"styleId": template.id} if template else {}),
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
    kind: TaskType, pictures: tuple[Source, ...], template: Template | None, body: SubmitBody
) -> tuple[Operation, Parts]:
    """The operation, and the inputs of each part."""
    prompt = template.prompt if template else ""
    added = tuple(Link(url) for url in template.images) if template else ()
    if kind is TaskType.VIDEO and (prompt or (not added and len(pictures) < 2)):
        if not (pictures or prompt or body.content):
            raise TaskError(Code.INVALID_INPUT, "A video needs a picture or 'content'.", param="images")
        return Operation.VIDEO_GENERATE, (pictures,)
    if kind in IMAGE_OPERATIONS:
        if not pictures:
            raise TaskError(
                Code.INVALID_INPUT, "Send a picture in 'images', or its 'fileName' from /picUpload.", param="images"
            )
        operation = Operation.IMAGE_EDIT if prompt else IMAGE_OPERATIONS[kind]
        return operation, tuple((picture, *added) for picture in pictures)
    targets = pictures[1:] + added
    if not (pictures and targets):
        raise TaskError(
            Code.INVALID_INPUT, "A face swap needs two pictures: first the face, then who gets it.", param="images"
        )
    operation = Operation.VIDEO_FACE_SWAP if kind is TaskType.VIDEO else Operation.IMAGE_FACE_SWAP
    return operation, tuple((pictures[0], target) for target in targets)


def read_params(operation: Operation, style: str | None, template: Template | None, body: SubmitBody) -> dict[str, Any]:
    """Parameters that mean something for this kind of work; the app sends the others along with every task."""
    prompt, seed = body.content or (template.prompt if template else ""), whole_number(body.seed, "seed")
    params: dict[str, Any] = {}
    if seed is not None and seed >= 0:  # the vendor's -1 is "any"
        params["seed"] = seed
    match operation:
        case Operation.IMAGE_FILTER if style:
            params["style"] = style
        case Operation.IMAGE_UPSCALE:
            params["scale"] = whole_number(body.scale, "scale") or 2
        case Operation.IMAGE_EDIT:
            params["prompt"] = prompt
        case Operation.VIDEO_GENERATE:
            params |= {"prompt": prompt} if prompt else {}
            params |= {"size": size} if (size := read_size(body)) else {}
    return params


def read_style(body: SubmitBody) -> str | None:
    """The one style that was sent; the parts of a task share their parameters."""
    styles = {text for value in texts(body.style_id) for text in split(value)} - {"0"}  # 0 is "no style"
    if len(styles) > 1:
        raise TaskError(Code.INVALID_INPUT, "Send one styleId: a task has one style.", param="styleId")
    return styles.pop() if styles else None


def read_size(body: SubmitBody) -> str | None:
    """Width and height for an aspect ratio, by its number or in words."""
    ratio = str(body.aspect_ratio).strip() if body.aspect_ratio is not None else ""
    if ratio in ("", "0"):
        return None
    if ratio not in RATIOS:
        raise TaskError(
            Code.INVALID_INPUT, f"'aspectRatio' is 1 to {len(SIZES)} for {', '.join(SIZES)}.", param="aspectRatio"
        )
    return even(RATIOS[ratio])


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


def encode(result: TaskResult, _request: WireRequest) -> WireResponse:
    """Answer with the ids of a new task."""
    task = result.task
    view = SubmittedView(task.public_id, task.public_id, number(task), number(task), STATES[task.state])
    return answer(SubmittedBody(data=view))


def submit_task(templates: Templates) -> Endpoint:
    """`/submitTask`."""
    return Endpoint(
        method="POST",
        path="/submitTask",
        decode=partial(submit, templates=templates),
        encode=encode,
        uploads=True,
        request=SubmitBody,
        response=SubmittedBody | ErrorBody,
        form=tuple(
            replace(field, kind="file", many=True) if field.name == "images" else field for field in form_of(SubmitBody)
        ),
        summary="Create a task",
        description="Several pictures make a task of several parts. What means nothing for a `taskType` is ignored.",
    )
