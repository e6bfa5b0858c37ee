"""How pictures are asked for: generations as JSON, edits as a form. Both become `Submit`.

Refusals come in the vendor's order: the body, the prompt, the model, and then everything else. What changes the result
and cannot be had is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...core.commands import Command, Source, Submit, Upload
from ...core.errors import Code, TaskError
from ...core.task import Operation
from .. import Field, FormFile, WireRequest
from .bodies import ImageBody, ImageOptions, read
from .modes import asynchronous, respond_async
from .names import DEFAULT_IMAGE_MODEL, VIDEO_MODELS
from .references import source, sources, with_mask
from .sizes import pixels, tier

GENERATION_WAIT = 7 * 60  # seconds that the vendor holds an answer
EDIT_WAIT = 8 * 60
MAX_COUNT = 4
FORMATS = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "webp": "webp"}
OPTIONS = ImageOptions.__struct_fields__
TIER = "1k, 2k or 4k in loose spellings; the first of these fields that names a tier counts"
UNUSED = "Accepted, without effect."
EDIT_FORM = (
    Field("image", "The pictures; also as image[], images, images[] or image_….", "file", required=True, many=True),
    Field("mask", "A mask: its transparent places are changed. It counts as one more picture.", "file"),
    Field("prompt", "What to change.", required=True, example="make it night"),
    Field("model", "The model; gpt-image-2 by default.", example="gpt-image-2"),
    Field("n", "How many pictures; clamped to 1..4, and 1 where it is no number.", "integer", example=1),
    Field("size", "A ratio, a size in pixels, or auto; without it that of the picture.", example="16:9"),
    *(Field(name, TIER) for name in ("resolution", "image_size", "scale", "upscale", "quality")),
    Field("output_format", "File format.", choices=("png", "jpeg", "webp"), example="png"),
    Field("output_compression", "Quality of the file, 0 to 100.", "integer"),
    Field("seed", "Repeats a result, where the model has seeds.", "integer"),
    Field("response_format", "url, or b64_json for the pictures themselves in an answer that was waited for."),
    *(Field(name, UNUSED) for name in ("style", "background", "moderation", "user", "group")),
)


def generate(request: WireRequest) -> Command:
    """Make pictures from a text, or from a text and reference pictures."""
    body = read(request, ImageBody)
    prompt = required(body.prompt)
    fields = (body.reference_images, body.images, body.image, body.image_url, body.image_urls)
    pictures = sources((*fields, body.input_image, body.input_images))
    mask = source(body.mask_url.strip()) if body.mask_url and body.mask_url.strip() else None
    command = begun(body, Operation.IMAGE_EDIT if pictures else Operation.IMAGE_GENERATE)
    if not asynchronous(request):
        command = replace(command, wait=GENERATION_WAIT, embed=body.response_format == "b64_json")
    return completed(command, body, prompt, pictures, mask, "mask_url")


def edit(request: WireRequest) -> Command:
    """Change uploaded pictures as a text says."""
    prompt = required(request.field("prompt"))
    texts: dict[str, Any] = {name: request.field(name) for name in OPTIONS}
    numbers = {"n": _number(texts["n"], 1)} | {
        name: _number(texts[name], None) for name in ("output_compression", "seed")
    }
    body = ImageOptions(**texts | numbers)
    command = begun(body, Operation.IMAGE_EDIT)
    if not respond_async(request):
        command = replace(command, wait=EDIT_WAIT, embed=request.field("response_format") == "b64_json")
    files = [Upload(item.file.id) for item in _pictures(request.files)]
    masks = [Upload(item.file.id) for item in request.files if item.field == "mask"]
    if not files and not masks:
        problem = "Send at least one picture as the file field 'image'."
        return replace(command, refusal=TaskError(Code.INVALID_INPUT, problem, param="image"))
    return completed(command, body, prompt, tuple(files), masks[-1] if masks else None, "mask")


def begun(body: ImageOptions, operation: Operation) -> Submit:
    """The part of a submit that the vendor looks at first: which model for what."""
    model = (body.model or "").strip() or DEFAULT_IMAGE_MODEL
    if model in VIDEO_MODELS:
        raise TaskError(
            Code.UNSUPPORTED, f"Model '{model}' makes videos, not pictures: use POST /v1/videos.", param="model"
        )
    return Submit(operation=operation, model=model, count=min(MAX_COUNT, max(1, body.n or 1)))


def completed(
    command: Submit, body: ImageOptions, prompt: str, pictures: tuple[Source, ...], mask: Source | None, mask_name: str
) -> Submit:
    """The submit with all that the vendor looks at later, or with what is wrong with it."""
    try:
        inputs = with_mask(pictures, mask, mask_name)
        asked = tier((body.resolution, body.image_size, body.scale, body.upscale, body.quality))
        resolution = asked or "1k"
        params: dict[str, Any] = {"prompt": prompt}
        size = pixels(body.size, resolution)
        # An edit keeps the size of its picture unless the caller names another.
        if not inputs or asked or (body.size or "auto").strip().lower() not in ("", "auto"):
            params["size"] = size
        params |= _encoding(body)
    except TaskError as problem:
        return replace(command, refusal=problem)
    params |= {"seed": body.seed} if body.seed is not None else {}
    params |= {"mask": len(pictures)} if mask is not None else {}
    extra = {"resolution": resolution, "model": command.model}
    return replace(command, params=params, inputs=inputs, extra=extra)


def required(prompt: str | None) -> str:
    """The prompt, or the vendor's refusal of a missing one."""
    if not (prompt and prompt.strip()):
        raise TaskError(Code.INVALID_INPUT, "prompt 不能为空", param="prompt")
    return prompt


def _encoding(body: ImageOptions) -> dict[str, Any]:
    """Parameters of the file that is delivered."""
    params: dict[str, Any] = {}
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


def _number(text: str | None, otherwise: int | None) -> int | None:
    """A number of a form; the vendor takes anything else for none."""
    try:
        return int(text) if text else otherwise
    except ValueError:
        return otherwise


def _pictures(files: Sequence[FormFile]) -> list[FormFile]:
    """The pictures of a form, each once: the vendor tells them apart by file name and size."""
    found: dict[tuple[str, int], FormFile] = {}
    for item in files:
        if item.field in ("image", "image[]", "images", "images[]") or item.field.startswith("image_"):
            found.setdefault((item.filename, item.file.size), item)
    return list(found.values())
