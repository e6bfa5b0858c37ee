"""The image and video models of Dimilinks, as their API takes them.

Pictures are always asked for asynchronously, with reference pictures and masks as data URLs; videos come in an older
family, whose answers are wrapped in `data`, and a newer one. The vendor has no word for a cancel.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ..core.catalog import Model, Param
from ..core.errors import Code, TaskError
from ..core.task import Operation
from . import EngineSettings, Job
from ._remote import Answer, Done, Failed, Look, RemoteEngine, Ticket, Unknown, Working, contents
from ._remote.options import read
from ._remote.troubles import Trouble, speaks_of_content

NAME = "dimilinks"
BASE_URL = "https://api-direct.dimilinks.com"
DONE, FAILED = frozenset({"succeeded", "completed", "success"}), frozenset({"failed", "error", "cancelled", "canceled"})
WAITING = frozenset({"queued", "pending", "submitted", "in_progress", "processing", "running", "dispatched"})
MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
TIERS = ((1_700_000, "1k"), (4_300_000, "2k"))  # pixels up to which a size is of a tier; larger ones are 4k

# The vendor's codes, by what they mean for a caller here; those that are not listed are failures.
TROUBLES = {
    **dict.fromkeys(("missing_api_key", "invalid_api_key", "ip_not_allowed"), Trouble.KEY),
    "insufficient_balance": Trouble.CREDITS,
    **dict.fromkeys(("model_not_found", "model_type_mismatch", "model_not_allowed"), Trouble.MODEL),
    **dict.fromkeys(("not_configured", "image_not_wired"), Trouble.MODEL),
    **dict.fromkeys(("invalid_request_error", "upstream_4xx"), Trouble.INPUT),
    **dict.fromkeys(("invalid_reference_image", "reference_image_too_large"), Trouble.MEDIA),
    "content_moderation": Trouble.CONTENT,
}
REFUSED_LATER = frozenset(
    {"rate_limit_rpm", "rate_limit_tpm", "rate_limited", "no_available_account", "service_unavailable"}
)
FAILED_LATER = REFUSED_LATER | {
    *("network_transient", "poll_timeout", "interrupted", "download_failed", "pow_timeout", "pow_failed"),
    *(
        "turnstile_required",
        "channel_connect_failed",
        "channel_resolve_failed",
        "upstream_5xx",
        "reference_image_timeout",
    ),
}

PROMPT = Param(
    "prompt", "string", "What to make, or how to change the pictures.", minimum=1, maximum=8192, required=True
)
PICTURE_PARAMS = (
    PROMPT,
    Param("size", "size", "Width x height in pixels.", minimum=16, maximum=4096),
    Param("format", "string", "File format of the result.", choices=("png", "jpeg", "webp")),
    Param("quality", "integer", "Quality of a jpeg or webp file.", minimum=1, maximum=100),
    Param("background", "string", "What lies behind the subject.", choices=("auto", "transparent", "opaque")),
    Param("mask", "integer", "Number, from 0, of the input that is a mask for the others.", minimum=0, maximum=8),
)
CLIPS = "grok-imagine-video"  # the older family has this model alone
CLIP_SIZES = {"16:9": "1280x720", "9:16": "720x1280", "1:1": "1024x1024"}
SECONDS = "Length in seconds."


def picture_model(name: str) -> Model:
    """One of the image models."""
    return Model(
        name=f"{NAME}-{name}",
        engine=NAME,
        operations=(Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT),
        description=f"{name} of Dimilinks, a service that is paid for each picture.",
        params=PICTURE_PARAMS,
        max_inputs=9,
        max_count=4,
        timeout=1800,
    )


def video_model(name: str, public: str, params: tuple[Param, ...], max_inputs: int = 0) -> Model:
    """One of the video models."""
    from_words = "" if max_inputs else " From words alone: its pictures would have to be public links."
    return Model(
        name=f"{NAME}-{public}",
        engine=NAME,
        operations=(Operation.VIDEO_GENERATE,),
        description=f"{name} of Dimilinks, a service that is paid for each video.{from_words}",
        params=(PROMPT, *params),
        max_inputs=max_inputs,
        price=10,
        timeout=7200,
    )


def newer_params(longest: int, lines: tuple[str, ...]) -> tuple[Param, ...]:
    """Parameters of a model of the newer family."""
    return (
        Param("duration", "integer", SECONDS, default=4, minimum=4, maximum=longest),
        Param(
            "ratio", "string", "Width to height.", default="16:9", choices=("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
        ),
        Param("resolution", "string", "The shorter side.", default="480p", choices=lines),
        Param("audio", "boolean", "Add sound."),
    )


NEWER = {"minimax-h3": "minimax-h3", "seedance-2.0": "seedance 2.0", "seedance-2.5": "seedance 2.5"}
MODELS = (
    picture_model("gpt-image-2"),
    picture_model("nano-banana-pro"),
    picture_model("gpt-image-2.5-flare"),
    picture_model("gpt-image-2.5-sunburst"),
    video_model(
        CLIPS,
        CLIPS,
        (
            Param("duration", "integer", SECONDS, default=6, choices=(6, 10, 12, 16, 20)),
            Param("ratio", "string", "Width to height.", default="16:9", choices=tuple(CLIP_SIZES)),
            Param("size", "size", f"One of {', '.join(CLIP_SIZES.values())}.", minimum=720, maximum=1280),
            Param("resolution", "string", "The shorter side.", default="720p", choices=("480p", "720p")),
            Param("style", "string", "A manner.", choices=("normal", "fun", "spicy", "custom")),
        ),
        max_inputs=7,
    ),
    video_model("minimax-h3", "minimax-h3", newer_params(15, ("480p", "720p", "1080p"))),
    video_model("seedance 2.0", "seedance-2.0", newer_params(15, ("480p", "720p", "1080p"))),
    video_model("seedance 2.5", "seedance-2.5", newer_params(30, ("480p", "720p"))),
)


class Dimilinks(RemoteEngine):
    """The engine."""

    async def submit(self, job: Job, once: str) -> Ticket:
        """Send the body of the job's family."""
        model = job.model.removeprefix(f"{NAME}-")
        pictures = [data_url(*each) for each in zip(job.inputs, await contents(job.inputs), strict=True)]
        if model in NEWER:
            path, body = "/v1/videos", newer_body(job, NEWER[model])
        elif model == CLIPS:
            path, body = "/v1/videos/generations", clip_body(job, pictures)
        else:
            path, body = "/v1/images/generations?async=true", picture_body(job, model, pictures)
        answer = await self.ask("POST", path, once=once, json=body)
        self._check(answer)
        found = answer.get("task_id") or answer.get("id") or answer.get("data", "task_id") or answer.get("data", "id")
        if not isinstance(found, str):
            raise self.trouble(Trouble.UNSURE, answer)
        return Ticket(found)

    async def look(self, handle: str, job: Job) -> Look:
        """Query the task, where its family has its queries."""
        newer = job.model.removeprefix(f"{NAME}-") in NEWER
        answer = await self.ask("GET", f"/v1/videos/{handle}" if newer else f"/v1/tasks/{handle}")
        if answer.status == 404:
            return Unknown(answer.words)
        self._check(answer)
        task = answer.body["data"] if isinstance(answer.get("data"), dict) else answer.body
        status = str(task.get("status")).lower()
        if status in DONE:
            return self._done(handle, job, answer)
        if status in FAILED:
            return Failed(self._failure(task))
        if status not in WAITING:
            raise self.trouble(Trouble.BUSY, answer)
        percent = task.get("progress")
        return Working(percent if type(percent) is int else 0, status, answer.retry_after)

    def _done(self, handle: str, job: Job, answer: Answer) -> Done:
        if job.operation == Operation.VIDEO_GENERATE:
            return Done((f"{self.options.base_url}/v1/videos/{handle}/content",), with_key=True)
        found = answer.get("result", "data")
        urls = [item.get("url") for item in found if isinstance(item, dict)] if isinstance(found, list) else []
        return Done(tuple(url for url in urls if isinstance(url, str) and url))

    def _failure(self, task: dict[str, Any]) -> TaskError:
        """Why a task failed: an object with code and message, or a text."""
        error = task.get("error")
        code = str(error.get("code")) if isinstance(error, dict) else ""
        words = f"that it failed: {error}"
        if code in FAILED_LATER:
            return self.trouble(Trouble.AGAIN, words)
        kind = TROUBLES.get(code, Trouble.CONTENT if speaks_of_content(words) else Trouble.FAILED)
        # A task failed with the keys and credits of the vendor itself, not with ours.
        return self.trouble(Trouble.FAILED if kind in (Trouble.KEY, Trouble.CREDITS, Trouble.MODEL) else kind, words)

    def _check(self, answer: Answer) -> None:
        """Raise what a refusal says."""
        if answer.status < 300 and isinstance(answer.body, dict):
            return
        code = str(answer.get("error", "code"))
        if code in TROUBLES:
            raise self.trouble(TROUBLES[code], answer)
        if code in REFUSED_LATER or answer.status >= 500 or answer.body is None:
            raise self.trouble(Trouble.BUSY, answer)
        of_status = {401: Trouble.KEY, 402: Trouble.CREDITS, 403: Trouble.MODEL}
        raise self.trouble(of_status.get(answer.status, Trouble.INPUT), answer)


def picture_body(job: Job, model: str, pictures: list[str]) -> dict[str, Any]:
    """A generation; with pictures it is an edit."""
    params = job.params
    body: dict[str, Any] = {"model": model, "prompt": params["prompt"], "n": job.count}
    if "size" in params:
        body |= {"size": params["size"], "resolution": tier(str(params["size"]))}
    for param, field in (("format", "output_format"), ("quality", "output_compression"), ("background", "background")):
        if param in params:
            body[field] = params[param]
    mask = params.get("mask")
    if mask is not None:
        if not mask < len(pictures) or len(pictures) < 2:
            raise refused("mask", "is the number, from 0, of an input beside the picture that it is for")
        body["mask_url"] = pictures.pop(mask)
    if pictures:
        body["image_urls"] = pictures
    return body


def clip_body(job: Job, pictures: list[str]) -> dict[str, Any]:
    """A video of the older family."""
    params = job.params
    size = str(params.get("size") or CLIP_SIZES[str(params["ratio"])])
    if size not in CLIP_SIZES.values():
        raise refused("size", f"is one of {', '.join(CLIP_SIZES.values())} for this model")
    body = {
        "model": CLIPS,
        "prompt": params["prompt"],
        "seconds": str(params["duration"]),
        "size": size,
        "resolution_name": params["resolution"],
        "preset": params.get("style", "normal"),
    }
    return body | ({"input_reference": pictures} if pictures else {})


def newer_body(job: Job, model: str) -> dict[str, Any]:
    """A video of the newer family."""
    params = job.params
    body = {
        "model": model,
        "prompt": params["prompt"],
        "seconds": params["duration"],
        "resolution": params["resolution"],
        "aspect_ratio": params["ratio"],
    }
    return body | ({"generate_audio": True} if params.get("audio") else {})


def tier(size: str) -> str:
    """The tier that a size is paid as."""
    width, height = map(int, size.split("x"))
    return next((name for most, name in TIERS if width * height <= most), "4k")


def data_url(path: Path, content: bytes) -> str:
    """An input as the vendor takes it in JSON."""
    kind = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def refused(param: str, why: str) -> TaskError:
    """What this vendor cannot make, known without asking it."""
    return TaskError(Code.INVALID_INPUT, f"Parameter '{param}' {why}.", param=param)


def create(settings: EngineSettings) -> Dimilinks:
    """Make the engine; `ValueError` says what is wrong with its options."""
    return Dimilinks(NAME, MODELS, read(NAME, settings.options, BASE_URL), settings.slots)
