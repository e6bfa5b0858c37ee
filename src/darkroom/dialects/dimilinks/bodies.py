"""What callers send as JSON: the bodies of generations, chats and both kinds of videos.

Fields with a wrong JSON type are refused, unknown ones ignored, and so are those that the vendor only audits.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from ...core.errors import TaskError
from .. import WireRequest
from .references import References

T = TypeVar("T")

Picture = Annotated[
    References,
    Meta(
        description="Reference pictures, up to 9 over all fields: URL, data URL or base64 text (also URL-safe); one, "
        'several, or as {"url"}.',
        examples=["https://example.com/lighthouse.png"],
    ),
]
Tier = Annotated[
    str | None,
    Meta(description="1k, 2k or 4k in loose spellings. The first of these fields that names a tier counts; else 1k."),
]
Unused = Annotated[str | None, Meta(description="Accepted, without effect.")]


class ImageOptions(msgspec.Struct):
    """What to make, apart from the words and the pictures. `n` is clamped to 1..4, never refused."""

    model: Annotated[str | None, Meta(description="The model; gpt-image-2 by default.", examples=["gpt-image-2"])] = (
        None
    )
    n: Annotated[int | None, Meta(description="How many pictures; clamped to 1..4.", examples=[1])] = None
    size: Annotated[
        str | None,
        Meta(description="A ratio, a size in pixels, or auto (square).", examples=["16:9", "1024x1024", "auto"]),
    ] = None
    resolution: Tier = None
    image_size: Tier = None
    scale: Tier = None
    upscale: Tier = None
    quality: Tier = None
    output_format: Annotated[str | None, Meta(description="File format: png, jpeg or webp.", examples=["png"])] = None
    output_compression: Annotated[int | None, Meta(description="Quality of the file, 0 to 100.")] = None
    seed: Annotated[int | None, Meta(description="Repeats a result, where the model has seeds.")] = None
    style: Unused = None
    background: Unused = None
    moderation: Unused = None
    user: Unused = None
    group: Unused = None


class ImageBody(ImageOptions):
    """A generation: a text, or a text and reference pictures."""

    prompt: Annotated[str | None, Meta(description="What to show. Required.", examples=["a lighthouse at dusk"])] = None
    response_format: Annotated[
        str | None,
        Meta(description="url, or b64_json for the pictures themselves in an answer that was waited for."),
    ] = None
    wait_for_result: Annotated[
        bool | None, Meta(description="false: answer at once. The query and the headers can say so too.")
    ] = None
    reference_images: Picture = None
    images: Picture = None
    image: Picture = None
    image_url: Picture = None
    image_urls: Picture = None
    input_image: Picture = None
    input_images: Picture = None
    mask_url: Annotated[
        str | None, Meta(description="A mask for the pictures: its transparent places are changed. Counts as one more.")
    ] = None


class Part(msgspec.Struct):
    """A part of a message: `text`, or `image_url` for a reference picture; other parts are passed over."""

    type: str = ""
    text: str | None = None
    image_url: References = None


class Message(msgspec.Struct):
    """A message of a chat; the last one of the user is the prompt."""

    role: Annotated[str, Meta(examples=["user"])]
    content: Annotated[str | list[Part] | None, Meta(examples=["a lighthouse at dusk"])] = None


class ChatBody(ImageOptions):
    """A chat with an image model. Parameters of language models are ignored."""

    messages: Annotated[
        list[Message] | None, Meta(examples=[[{"role": "user", "content": "a lighthouse at dusk"}]])
    ] = None
    stream: Annotated[bool | None, Meta(description="true: the answer as server-sent events.")] = None


class ClipBody(msgspec.Struct):
    """A video of the older family."""

    prompt: Annotated[str | None, Meta(description="What to show. Required.", examples=["a lighthouse at dusk"])] = None
    model: Annotated[str | None, Meta(examples=["grok-imagine-video"])] = None
    seconds: Annotated[str | int | None, Meta(description="6, 10, 12, 16 or 20.", examples=["6"])] = None
    size: Annotated[str | None, Meta(description="1280x720, 720x1280 or 1024x1024.", examples=["1280x720"])] = None
    resolution_name: Annotated[str | None, Meta(description="480p or 720p.", examples=["720p"])] = None
    preset: Annotated[str | None, Meta(description="normal, fun, spicy or custom.", examples=["normal"])] = None
    input_reference: Annotated[References, Meta(description="Up to 7 pictures as data URLs.")] = None
    group: Unused = None


class VideoReference(msgspec.Struct):
    """A picture, video or sound that goes into a video. Engines here take pictures."""

    source: Annotated[str, Meta(description="https URL.", examples=["https://example.com/lighthouse.png"])]
    type: Annotated[str, Meta(description="image, video or audio.", examples=["image"])] = "image"
    role: Annotated[str | None, Meta(description="reference, first_frame or last_frame.")] = None


class VideoBody(msgspec.Struct):
    """A video of the newer family."""

    prompt: Annotated[str | None, Meta(description="What to show. Required.", examples=["a lighthouse at dusk"])] = None
    model: Annotated[str | None, Meta(examples=["minimax-h3"])] = None
    seconds: Annotated[str | int | None, Meta(description="Length; 4 by default.", examples=[4])] = None
    resolution: Annotated[str | None, Meta(description="480p (default), 720p or 1080p.", examples=["480p"])] = None
    aspect_ratio: Annotated[str | None, Meta(description="16:9 by default; auto follows the first picture.")] = None
    generate_audio: Annotated[bool | None, Meta(description="true: with sound.")] = None
    references: list[VideoReference] | None = None


def read(request: WireRequest, shape: type[T]) -> T:
    """The body, or a refusal in the vendor's words."""
    try:
        return request.json(shape)
    except TaskError as error:
        raise TaskError(error.code, f"请求参数错误:{error.message}", param=error.param) from None
