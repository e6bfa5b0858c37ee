"""What callers submit: generations as JSON, edits as a form. Both become `Submit`.

Fields with a wrong JSON type are refused, unknown ones ignored. What the vendor only audits is read and dropped; what
changes the result and cannot be had (a mask, base64 answers) is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ...core.commands import Command, Source, Submit, Upload
from ...core.errors import Code, TaskError
from ...core.task import Operation
from .. import MAX_WAIT, FormFile, WireRequest
from .modes import respond_async
from .references import References, check_count, sources
from .sizes import pixels, tier

DEFAULT_MODEL = "gpt-image-2"
MAX_COUNT = 4
FORMATS = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "webp": "webp"}
EDIT_TEXT = (
    "prompt",
    "model",
    "n",
    "size",
    "resolution",
    "image_size",
    "scale",
    "upscale",
    "quality",
    "output_format",
    "response_format",
    "background",
    "moderation",
    "user",
)


class ImageBody(msgspec.Struct):
    """What `POST /v1/images/generations` takes.

    `size` is a ratio, a size in pixels or `auto`; `resolution` (or one of its aliases `image_size`, `scale`, `upscale`,
    `quality`) is 1k, 2k or 4k. `n` is clamped to 1..4.
    """

    prompt: str | None = None
    model: str | None = None
    n: int | None = None
    size: str | None = None
    resolution: str | None = None
    image_size: str | None = None
    scale: str | None = None
    upscale: str | None = None
    quality: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    seed: int | None = None
    response_format: str | None = None
    wait_for_result: bool | None = None
    style: str | None = None
    background: str | None = None
    moderation: str | None = None
    user: str | None = None
    group: str | None = None
    reference_images: References = None
    images: References = None
    image: References = None
    image_url: References = None
    image_urls: References = None
    input_image: References = None
    input_images: References = None
    mask_url: str | None = None


class WaitBody(msgspec.Struct):
    """What a generation says about when it wants its answer."""

    wait_for_result: bool | None = None


def generate(request: WireRequest) -> Command:
    """Make pictures from a text, or from a text and reference pictures."""
    body = request.json(ImageBody)
    _require_prompt(body)
    fields = (body.reference_images, body.images, body.image, body.image_url, body.image_urls)
    inputs = sources((*fields, body.input_image, body.input_images))
    if body.mask_url and body.mask_url.strip():
        if not inputs:
            raise TaskError(Code.INVALID_INPUT, "'mask_url' needs at least one reference image.", param="mask_url")
        raise _no_masks("mask_url")
    return _submit(body, inputs, asynchronous(request))


def edit(request: WireRequest) -> Command:
    """Change uploaded pictures as a text says."""
    text = {name: request.field(name) for name in EDIT_TEXT}
    body = ImageBody(**text | {"n": _number(text["n"])})  # type: ignore[arg-type]
    _require_prompt(body)
    if any(item.field == "mask" for item in request.files):
        raise _no_masks("mask")
    files = _pictures(request.files)
    if not files:
        raise TaskError(Code.INVALID_INPUT, "Send at least one picture as the file field 'image'.", param="image")
    check_count(len(files))
    return _submit(body, tuple(Upload(item.file.id) for item in files), respond_async(request))


def asynchronous(request: WireRequest) -> bool:
    """True when a generation is answered before it is done."""
    return respond_async(request) or request.json(WaitBody).wait_for_result is False


def _submit(body: ImageBody, inputs: tuple[Source, ...], at_once: bool) -> Submit:
    asked = tier((body.resolution, body.image_size, body.scale, body.upscale, body.quality))
    resolution = asked or "1k"
    params: dict[str, Any] = {"prompt": body.prompt}
    size = pixels(body.size, resolution)
    # An edit keeps the size of its picture unless the caller names another.
    if not inputs or asked or (body.size or "auto").strip().lower() not in ("", "auto"):
        params["size"] = size
    return Submit(
        operation=Operation.IMAGE_EDIT if inputs else Operation.IMAGE_GENERATE,
        model=(body.model or "").strip() or DEFAULT_MODEL,
        params=params | _encoding(body) | ({"seed": body.seed} if body.seed is not None else {}),
        inputs=inputs,
        count=min(MAX_COUNT, max(1, body.n or 1)),
        wait=0 if at_once else MAX_WAIT,
        extra={"resolution": resolution},
    )


def _encoding(body: ImageBody) -> dict[str, Any]:
    """Parameters of the file that is delivered."""
    params: dict[str, Any] = {}
    if body.response_format == "b64_json":
        message = "This server answers with links, not with base64: leave out 'response_format' and fetch 'data[].url'."
        raise TaskError(Code.UNSUPPORTED, message, param="response_format")
    if body.output_format:
        params["format"] = FORMATS.get(body.output_format.strip().lower())
        if params["format"] is None:
            message = "Parameter 'output_format' takes one of png, jpeg, webp."
            raise TaskError(Code.INVALID_INPUT, message, param="output_format")
    if body.output_compression is not None:
        if not 0 <= body.output_compression <= 100:
            message = "Parameter 'output_compression' is a number from 0 to 100."
            raise TaskError(Code.INVALID_INPUT, message, param="output_compression")
        params["quality"] = max(1, body.output_compression)
    return params


def _require_prompt(body: ImageBody) -> None:
    if not (body.prompt and body.prompt.strip()):
        raise TaskError(Code.INVALID_INPUT, "prompt 不能为空", param="prompt")


def _no_masks(param: str) -> TaskError:
    return TaskError(
        Code.UNSUPPORTED,
        f"Masks are not offered by this server: leave out '{param}' and say in the prompt what to change.",
        param=param,
    )


def _number(text: str | None) -> int:
    """The `n` of a form; the vendor takes anything that is no number for 1."""
    try:
        return int(text or "1")
    except ValueError:
        return 1


def _pictures(files: Sequence[FormFile]) -> list[FormFile]:
    """The pictures of a form, each once: the vendor tells them apart by file name and size."""
    found: dict[tuple[str, int], FormFile] = {}
    for item in files:
        if item.field in ("image", "image[]", "images", "images[]") or item.field.startswith("image_"):
            found.setdefault((item.filename, item.file.size), item)
    return list(found.values())
