"""Face swaps, enhancement, filters and upscaling of muyuhan's face_wap application: https://doc.muyuhan.xin/api/face_wap.

Every answer is HTTP 200 with a code: 200 is a success, 510 a fault of the vendor, 800 a parameter that is wrong, 900 no
such task. The page of the submit is not public: fields are those of its sister application, as our own dialect of this
vendor takes them. The key is an access token as `/saveDevice` hands out. There is no word for a cancel.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..core.catalog import Model, Param
from ..core.errors import TaskError
from ..core.task import Operation
from . import EngineSettings, Job
from ._remote import Answer, Done, Failed, Look, RemoteEngine, Ticket, Unknown, Working, contents
from ._remote.options import read
from ._remote.troubles import Trouble, speaks_of_content

NAME = "muyuhan"
SUCCESS, SYSTEM_ERROR, PARAMETER_ERROR, NO_DATA = 200, 510, 800, 900
TROUBLES = {SYSTEM_ERROR: Trouble.BUSY, PARAMETER_ERROR: Trouble.INPUT, 401: Trouble.KEY, 402: Trouble.CREDITS}
DONE, FAILED = 30, 2
PERCENT = {10: 0, 20: 30, 25: 40}  # the vendor tells a state, and no number
NOTES = {10: "queued", 20: "processing", 25: "analysing"}
MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
}
TASK_TYPES = {
    Operation.IMAGE_FACE_SWAP: "3",
    Operation.IMAGE_ENHANCE: "4",
    Operation.IMAGE_FILTER: "5",
    Operation.IMAGE_UPSCALE: "6",
    Operation.VIDEO_FACE_SWAP: "7",
}
SCALE = Param("scale", "integer", "How many times wider and higher.", default=2, choices=(2, 4))
STYLE = Param("style", "string", "The number of a template of the vendor; its own choice without it.", maximum=100)


def model(name: str, operation: Operation, what: str, *params: Param, inputs: int = 1, price: int = 1) -> Model:
    """One of the models."""
    return Model(
        name=f"{NAME}-{name}",
        engine=NAME,
        operations=(operation,),
        description=f"{what}, by muyuhan, a service that is paid for each result.",
        params=params,
        min_inputs=inputs,
        max_inputs=inputs,
        price=price,
        timeout=7200 if operation.startswith("video.") else 1800,
    )


MODELS = (
    model("faceswap", Operation.IMAGE_FACE_SWAP, "Puts the face of the first picture on the second", inputs=2, price=3),
    model("enhance", Operation.IMAGE_ENHANCE, "Improves a picture"),
    model("filter", Operation.IMAGE_FILTER, "Redraws a picture in the style of a template", STYLE),
    model("upscale", Operation.IMAGE_UPSCALE, "Enlarges a picture", SCALE, price=2),
    model(
        "video-faceswap",
        Operation.VIDEO_FACE_SWAP,
        "Puts the face of a picture, the first input, into a video, the second",
        inputs=2,
        price=10,
    ),
)


class Muyuhan(RemoteEngine):
    """The engine."""

    def headers(self, key: str) -> Mapping[str, str]:
        """The token, without a word in front of it."""
        return {"Authorization": key}

    async def submit(self, job: Job, once: str) -> Ticket:
        """Send the form: the type of the task, its pictures, and the one parameter that it may have."""
        fields = {"taskType": TASK_TYPES[Operation(job.operation)]}
        for param, field in (("style", "styleId"), ("scale", "scale")):
            if job.params.get(param):
                fields[field] = str(job.params[param])
        files: list[tuple[str, tuple[str | None, str | bytes] | tuple[str, bytes, str]]] = [
            (name, (None, text)) for name, text in fields.items()
        ]
        for path, content in zip(job.inputs, await contents(job.inputs), strict=True):
            files.append(("images", (path.name, content, kind_of(path))))
        answer = await self.ask("POST", "/submitTask", once=once, files=files)
        self._check(answer)
        handle = answer.get("data", "promptId")
        if not isinstance(handle, str) or not handle:
            raise self.trouble(Trouble.UNSURE, answer)
        return Ticket(handle)

    async def look(self, handle: str, _job: Job) -> Look:
        """Query the task."""
        answer = await self.ask("GET", "/getTaskInfo", params={"promptId": handle})
        if answer.get("code") == NO_DATA or answer.status == 404:
            return Unknown(answer.words)
        self._check(answer)
        state = answer.get("data", "state")
        if state == DONE:
            found = answer.get("data", "imageList")
            origins = (
                [item.get("origin") for item in found if isinstance(item, dict)] if isinstance(found, list) else []
            )
            return Done(tuple(link for link in origins if isinstance(link, str) and link))
        if state == FAILED:
            return Failed(self._failure(str(answer.get("data", "reason"))))
        if state not in PERCENT:
            raise self.trouble(Trouble.BUSY, answer)
        return Working(PERCENT[state], NOTES[state], answer.retry_after)

    def _failure(self, reason: str) -> TaskError:
        """Why a task failed; the vendor has a word for content alone: `new_sensitive`."""
        kind = Trouble.CONTENT if speaks_of_content(reason) else Trouble.FAILED
        return self.trouble(kind, f"that it failed: {reason}")

    def _check(self, answer: Answer) -> None:
        """Raise what a refusal says. Its HTTP status counts where its code says nothing."""
        code = answer.get("code")
        if code == SUCCESS and answer.status == 200:
            return
        if code == PARAMETER_ERROR and speaks_of_content(str(answer.get("msg"))):
            raise self.trouble(Trouble.CONTENT, answer)
        of_status = Trouble.BUSY if answer.status >= 500 or answer.body is None else Trouble.FAILED
        raise self.trouble(TROUBLES.get(code, TROUBLES.get(answer.status, of_status)), answer)


def kind_of(path: Path) -> str:
    """The media type of an input."""
    return MEDIA_TYPES.get(path.suffix, "application/octet-stream")


def create(settings: EngineSettings) -> Muyuhan:
    """Make the engine; `ValueError` says what is wrong with its options."""
    return Muyuhan(NAME, MODELS, read(NAME, settings.options), settings.slots)
