"""The image API of Dimilinks: generations and edits, answered at once or when done, and both of its task queries.

Errors are `{"error": {"message", "type", "code"}}` with the vendor's statuses; results are read by signed links.
"""

from __future__ import annotations

import uuid

import msgspec

from ...core.catalog import Model
from ...core.commands import Command, Download, Get, ListModels
from ...core.errors import Code, TaskError
from ...core.task import Operation
from .. import Dialect, Endpoint, WireRequest, WireResponse, answer, bearer_or_bare, not_encoded
from .errors import encode_error
from .submit import DEFAULT_MODEL, EDIT_TEXT, ImageBody, edit, generate
from .tasks import ImagesView, OldTaskView, TaskView, encode_edited, encode_generated, encode_old_task, encode_task

MODELS = (DEFAULT_MODEL, "nano-banana-pro", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst")
MODELS_CREATED = 1_777_080_000  # seconds; the catalog keeps no dates, and clients want a stable one
MAX_INDEX = 64


class ModelView(msgspec.Struct):
    """A model."""

    id: str
    object: str
    created: int
    owned_by: str


class ModelsView(msgspec.Struct):
    """The models on offer."""

    object: str
    data: list[ModelView]


def mint_id() -> str:
    """A task id in the vendor's spelling."""
    return f"img_{uuid.uuid4().hex[:24]}"


def get(request: WireRequest) -> Command:
    """Read a task."""
    return Get(request.params["id"], request.wait())


def download(request: WireRequest) -> Command:
    """Read a result by its signed link."""
    index = request.params["index"]
    if not (index.isascii() and index.isdigit() and len(index) <= 4 and int(index) <= MAX_INDEX):
        raise TaskError(Code.INVALID_INPUT, f"A result's number is 0 to {MAX_INDEX}.", param="index")
    return Download(request.params["id"], int(index), request.signature())


def encode_models(models: tuple[Model, ...], _request: WireRequest) -> WireResponse:
    """Answer with the vendor's names, then the models of this server that make or edit pictures."""
    own = [
        model.name
        for model in models
        if Operation.IMAGE_GENERATE in model.operations or Operation.IMAGE_EDIT in model.operations
    ]
    names = dict.fromkeys([*MODELS, *own])
    return answer(ModelsView("list", [ModelView(name, "model", MODELS_CREATED, "") for name in names]))


dialect = Dialect(
    name="dimilinks",
    at_root=True,
    credential=bearer_or_bare,
    encode_error=encode_error,
    mint_id=mint_id,
    models=MODELS,
    capabilities=frozenset({"sync"}),
    endpoints=(
        Endpoint(
            method="POST",
            path="/v1/images/generations",
            decode=generate,
            encode=encode_generated,
            request=ImageBody,
            response=ImagesView,
            summary="Make pictures",
        ),
        Endpoint(
            method="POST",
            path="/v1/images/edits",
            decode=edit,
            encode=encode_edited,
            response=ImagesView,
            uploads=True,
            form=("image", *EDIT_TEXT),
            summary="Edit pictures",
        ),
        Endpoint(
            method="GET",
            path="/v1/tasks/{id}",
            decode=get,
            encode=encode_task,
            response=TaskView,
            poll=True,
            summary="Read a task",
        ),
        Endpoint(
            method="GET",
            path="/v1/images/tasks/{id}",
            decode=get,
            encode=encode_old_task,
            response=OldTaskView,
            poll=True,
            summary="Read a task, in the older shape",
        ),
        Endpoint(
            method="GET",
            path="/p/img/{id}/{index}",
            decode=download,
            encode=not_encoded,
            public=True,
            summary="Read a result",
        ),
        Endpoint(
            method="GET",
            path="/v1/models",
            decode=lambda _: ListModels(),
            encode=encode_models,
            response=ModelsView,
            summary="List models",
        ),
    ),
)
