"""The image and video models of TensorsLab, as their API takes them: https://docs.tensorslab.com.

A submit is a form without content types on its text parts; a query says 1 queued, 2 processing, 3 completed, 4 failed
and, for videos, 5 uploading. A cancel is the vendor's delete, which takes ids of running tasks too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.catalog import SIZE, Model, Param
from ..core.errors import Code, TaskError
from ..core.task import Operation
from . import EngineSettings, Job
from ._remote import Answer, Done, Failed, Look, RemoteEngine, Ticket, Unknown, Working, contents
from ._remote.options import read
from ._remote.troubles import Trouble, speaks_of_content

NAME = "tensorslab"
BASE_URL = "https://api.tensorslab.com"
SUCCESS, NO_CREDITS = 1000, 9000
COMPLETED, FAILED, UPLOADING = 3, 4, 5
PERCENT = {1: 0, 2: 30, UPLOADING: 90}  # the vendor tells a state, and no number
NOTES = {1: "queued", 2: "processing", UPLOADING: "uploading"}
LINES = {"480p": 480, "720p": 720, "1080p": 1080, "1440p": 1440}  # of the shorter side
RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
V45_AREA = (3_686_400, 16_777_216)  # pixels that seedreamv45 takes
IMAGE_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}

PROMPT = Param(
    "prompt", "string", "What to make, or how to change the pictures.", minimum=1, maximum=8192, required=True
)
SIZE_PARAM = Param(
    "size", "size", "Width x height in pixels; the vendor's default without it.", minimum=16, maximum=4096
)
SEED = Param("seed", "integer", "Repeats a result.", minimum=0, maximum=2**31 - 1)
BOTH = (Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT)


def lines_of(model: str) -> tuple[str, ...]:
    """The resolutions of a video model: the newest has one more."""
    return tuple(LINES) if model == "seedancev2" else tuple(LINES)[:3]


def picture_model(name: str, called: str, operations: tuple[Operation, ...], *params: Param, **more: Any) -> Model:
    """One of the image models."""
    return Model(
        name=f"{NAME}-{name}",
        engine=NAME,
        operations=operations,
        description=f"{called} of TensorsLab, a service that is paid for each picture.",
        params=(PROMPT, SIZE_PARAM, *params),
        timeout=1800,
        **more,
    )


def video_model(name: str, called: str, longest: int, default: str, *params: Param) -> Model:
    """One of the video models; `default` is its resolution."""
    return Model(
        name=f"{NAME}-{name}",
        engine=NAME,
        operations=(Operation.VIDEO_GENERATE,),
        description=f"{called} of TensorsLab, a service that is paid for each video: from words, or from a first and a"
        " last frame.",
        params=(
            PROMPT,
            Param("duration", "integer", "Length in seconds.", default=5, minimum=5, maximum=longest),
            Param(
                "ratio", "string", "Width to height; that of the first picture, or 9:16 without one.", choices=RATIOS
            ),
            Param("resolution", "string", "The shorter side.", default=default, choices=lines_of(name)),
            Param("size", "size", "Exactly such a ratio and resolution as width x height.", minimum=16, maximum=4096),
            Param(
                "fps", "integer", "Frames a second; the vendor's clients ask for 24.", default=24, minimum=8, maximum=60
            ),
            SEED,
            *params,
        ),
        max_inputs=2,
        price=10,
        timeout=7200,
    )


MODELS = (
    picture_model("seedreamv5", "SeeDream V5 Lite", BOTH, max_inputs=10, max_count=15),
    picture_model("seedreamv45", "SeeDream V4.5", BOTH, max_inputs=10, max_count=15),
    picture_model("seedreamv4", "SeeDream V4", BOTH, max_inputs=10, max_count=15),
    picture_model(
        "zimage",
        "Z-Image",
        (Operation.IMAGE_GENERATE,),
        SEED,
        Param("prompt_extend", "boolean", "Whether the vendor may extend the prompt."),
    ),
    picture_model("quickedit", "Quick Edit", (Operation.IMAGE_EDIT,), min_inputs=1, max_inputs=10),
    video_model(
        "seedancev2",
        "SeeDance V2",
        15,
        "1080p",
        Param("audio", "boolean", "Add sound."),
        Param("last_frame", "boolean", "Add the last frame as a picture, behind the video."),
    ),
    video_model("seedancev15pro", "SeeDance V1.5 Pro", 10, "720p"),
    video_model("seedancev1profast", "SeeDance V1 Pro Fast", 10, "720p"),
    video_model("seedancev1", "SeeDance V1", 10, "720p"),
)


class TensorsLab(RemoteEngine):
    """The engine."""

    async def submit(self, job: Job, once: str) -> Ticket:
        """Send the form of the job's model."""
        model = job.model.removeprefix(f"{NAME}-")
        fields = video_fields(job, model) if is_video(job) else image_fields(job, model)
        files: list[tuple[str, tuple[str | None, str | bytes] | tuple[str, bytes, str]]] = [
            (name, (None, text)) for name, text in fields.items()
        ]
        for path, content in zip(job.inputs, await contents(job.inputs), strict=True):
            files.append(("sourceImage", (path.name, content, kind_of(path))))
        answer = await self.ask("POST", f"/v1/{family(job)}/{model}", once=once, files=files)
        self._check(answer)
        handle = answer.get("data", "taskid")
        if not isinstance(handle, str) or not handle:
            raise self.trouble(Trouble.UNSURE, answer)
        return Ticket(handle)

    async def look(self, handle: str, job: Job) -> Look:
        """Query the task."""
        answer = await self.ask("POST", f"/v1/{family(job)}/infobytaskid", json={"taskid": handle})
        if answer.status == 404:
            return Unknown(answer.words)
        self._check(answer)
        state = answer.get("data", "task_status" if is_video(job) else "image_status")
        if state == COMPLETED:
            links = answer.get("data", "url")
            return Done(tuple(map(str, links if isinstance(links, list) else ())))
        if state == FAILED:
            reason = str(answer.get("data", "message" if is_video(job) else "error_message"))
            kind = Trouble.CONTENT if speaks_of_content(reason) else Trouble.FAILED
            return Failed(self.trouble(kind, f"that it failed: {reason}"))
        if state not in PERCENT:
            raise self.trouble(Trouble.BUSY, answer)
        return Working(PERCENT[state], NOTES[state], answer.retry_after)

    async def withdraw(self, handle: str, job: Job) -> None:
        """Delete the task."""
        path = "/v1/video/deletevideotask" if is_video(job) else "/v1/images/deleteimagestask"
        await self.ask("POST", path, json={"taskids": [handle]})

    def _check(self, answer: Answer) -> None:
        """Raise what an answer says that is no success. Its HTTP status counts where its code says nothing."""
        code = answer.get("code")
        if code == SUCCESS:
            return
        words = str(answer.get("msg"))
        if answer.status in (401, 403):
            kind = Trouble.KEY
        elif code == NO_CREDITS or answer.status == 402:
            kind = Trouble.CREDITS
        elif answer.status >= 500 or answer.body is None:
            kind = Trouble.BUSY
        elif speaks_of_content(words):
            kind = Trouble.CONTENT
        else:
            kind = Trouble.MODEL if answer.status == 404 else Trouble.INPUT
        raise self.trouble(kind, answer)


def is_video(job: Job) -> bool:
    """Whether the job is one for the vendor's video service."""
    return job.operation == Operation.VIDEO_GENERATE


def family(job: Job) -> str:
    """The part of a path that tells the two services apart."""
    return "video" if is_video(job) else "images"


def image_fields(job: Job, model: str) -> dict[str, str]:
    """The text fields of an image model; `zimage` knows no category and no batch, and writes sizes with an asterisk."""
    fields = {"prompt": str(job.params["prompt"])}
    size = job.params.get("size")
    if size:
        fields["resolution"] = sized(str(size), model)
    if model.startswith("seedream"):
        fields |= {"category": model, "batchsize": str(job.count)}
    if "seed" in job.params:
        fields["seed"] = str(job.params["seed"])
    if "prompt_extend" in job.params:
        fields["prompt_extend"] = str(int(job.params["prompt_extend"]))
    return fields


def sized(size: str, model: str) -> str:
    """A size as the model takes it."""
    found = SIZE.fullmatch(size)
    assert found is not None, "the catalog checked it"
    if model == "seedreamv45" and not V45_AREA[0] <= int(found[1]) * int(found[2]) <= V45_AREA[1]:
        least, most = V45_AREA
        raise refused("size", f"of this model has {least} to {most} pixels, such as 2560x1440 or 1920x1920")
    return size.replace("x", "*") if model == "zimage" else size


def video_fields(job: Job, model: str) -> dict[str, str]:
    """The text fields of a video model."""
    params = job.params
    ratio, resolution = str(params.get("ratio", "")), str(params["resolution"])
    if "size" in params:
        ratio, resolution = shape(str(params["size"]), lines_of(model))
    fields = {
        "prompt": str(params["prompt"]),
        "ratio": ratio or ("adaptive" if job.inputs else "9:16"),
        "duration": str(params["duration"]),
        "resolution": resolution,
        "fps": str(params["fps"]),
    }
    if "seed" in params:
        fields["seed"] = str(params["seed"])
    for param, field in (("audio", "generate_audio"), ("last_frame", "return_last_frame")):
        if params.get(param):
            fields[field] = "1"
    return fields


def shape(size: str, resolutions: tuple[str, ...]) -> tuple[str, str]:
    """Ratio and resolution of an exact size; a size that has none is refused."""
    width, height = map(int, size.split("x"))
    for ratio in RATIOS:
        across, down = map(int, ratio.split(":"))
        for name in resolutions:
            if min(width, height) == LINES[name] and abs(width * down - height * across) <= max(across, down):
                return ratio, name
    raise refused("size", f"has no ratio and resolution of this model: {', '.join(RATIOS)} in {', '.join(resolutions)}")


def refused(param: str, why: str) -> TaskError:
    """What this vendor cannot make, known without asking it."""
    return TaskError(Code.INVALID_INPUT, f"Parameter '{param}' {why}.", param=param)


def kind_of(path: Path) -> str:
    """The media type of an input."""
    return IMAGE_KINDS.get(path.suffix, "application/octet-stream")


def create(settings: EngineSettings) -> TensorsLab:
    """Make the engine; `ValueError` says what is wrong with its options."""
    return TensorsLab(NAME, MODELS, read(NAME, settings.options, BASE_URL), settings.slots)
