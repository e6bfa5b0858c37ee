"""The vendor's image routes: one for each model, one query, one delete."""

from __future__ import annotations

from ...core.commands import Command, Source, Submit, TaskResult
from ...core.task import Operation, State, Task
from .. import Field, WireRequest, WireResponse, answer
from .fields import integer, prompt, refused, sources, switch
from .shapes import STATUS, SUFFIXES, ImageInfo, ImageInfoData, clock, reason
from .sizes import names_shape, pixels

MODELS = {
    "seedreamv4": "Generate or edit with SeeDream V4",
    "seedreamv45": "Generate or edit with SeeDream V4.5",
    "seedreamv5": "Generate or edit with SeeDream V5 Lite",
    "zimage": "Generate with Z-Image",
    "quickedit": "Edit with Quick Edit",
}
SUBMITS = {f"/v1/images/{model}": model for model in MODELS}
QUERY, DELETE = "/v1/images/infobytaskid", "/v1/images/deleteimagestask"
MAX_BATCH = 15

FORM = (
    Field("prompt", "What to draw, or how to change the pictures.", required=True, example="a lighthouse at dusk"),
    Field("resolution", "A ratio (16:9), a level (2K) or a size (2560x1440, 1024*1024).", example="2K"),
    Field("batchsize", f"How many images, 1 to {MAX_BATCH}.", "integer", example=1),
    Field("sourceImage", "Pictures to edit.", "file", many=True),
    Field("imageUrl", "Pictures to edit as links, with commas between them.", many=True),
    Field("seed", "Repeats a result; -1 means any.", "integer"),
    Field("prompt_extend", "Whether the prompt may be extended.", choices=("0", "1")),
    Field("category", "Kept with the task.", example="seedreamv5"),
)


def submit(request: WireRequest) -> Command:
    """Create a task with the model that the path names."""
    model = SUBMITS[request.path]
    text, inputs = prompt(request), sources(request)
    if model == "quickedit" and not inputs:
        raise refused("sourceImage", "or 'imageUrl' is required: quickedit changes a picture")
    category = request.field("category")
    return Submit(
        operation=Operation.IMAGE_EDIT if inputs else Operation.IMAGE_GENERATE,
        model=model,
        params={"prompt": text, **_size(request, model, inputs), **_tuning(request)},
        inputs=inputs,
        count=_batch(request),
        extra={"category": category} if category else {},
    )


def _size(request: WireRequest, model: str, inputs: tuple[Source, ...]) -> dict[str, str]:
    """The size to make; nothing where an edit keeps a shape that only the engine will see, that of a linked picture."""
    resolution = request.field("resolution")
    uploaded = [(item.file.width, item.file.height) for item in request.files if item.file.width and item.file.height]
    if inputs and not uploaded and not names_shape(resolution):
        return {}
    return {"size": pixels(resolution, model, uploaded[0] if uploaded else None)}


def _tuning(request: WireRequest) -> dict[str, int | bool]:
    """Seed and prompt extension; a seed of -1 means any."""
    found: dict[str, int | bool] = {}
    seed, extend = integer(request, "seed"), switch(request, "prompt_extend")
    if seed is not None and seed != -1:
        found["seed"] = seed
    if extend is not None:
        found["prompt_extend"] = extend
    return found


def _batch(request: WireRequest) -> int:
    count = integer(request, "batchsize")
    if count is not None and not 1 <= count <= MAX_BATCH:
        raise refused("batchsize", f"is a number from 1 to {MAX_BATCH}")
    return count or 1


def encode_info(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer with a task."""
    return answer(ImageInfo(data=image_info(result.task, request)))


def image_info(task: Task, request: WireRequest) -> ImageInfoData:
    """A task with exactly the fields that the vendor's page shows for its state."""
    data = ImageInfoData(taskid=task.public_id, url=[], image_status=STATUS[task.state])
    if task.state is State.SUCCEEDED:
        data.url = [
            request.link(f"/images/{task.public_id}_{index}.{SUFFIXES.get(artifact.media_type, 'bin')}")
            for index, artifact in enumerate(task.artifacts)
        ]
        data.starttime = clock(task.created_at if task.started_at is None else task.started_at)
        if task.artifacts:
            data.width, data.height = task.artifacts[0].width, task.artifacts[0].height
    elif task.state.final:
        data.error_message = reason(task)
    return data
