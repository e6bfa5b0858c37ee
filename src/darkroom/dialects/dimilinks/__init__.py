"""The API of Dimilinks: pictures and videos, answered at once or when done, all of its task queries, chats with models
that make pictures, models and prices.

Errors are `{"error": {"message", "type", "code"}}` with the vendor's statuses; results are read by signed links.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.commands import Command, Download
from ...core.errors import Code, TaskError
from .. import Dialect, Endpoint, Field, WireRequest, bearer_or_bare, not_encoded
from .bodies import ChatBody, ClipBody, ImageBody, VideoBody
from .catalog import (
    HealthView,
    ModelsView,
    PricesView,
    encode_health,
    encode_models,
    encode_prices,
    list_models,
    live,
    ready,
)
from .chat import ChatView, chat, encode_chat, open_chat
from .errors import ErrorBody, encode_error
from .names import IMAGE_MODELS, VIDEO_MODELS
from .submit import EDIT_FORM, edit, generate
from .tasks import (
    ImagesView,
    OldTaskView,
    TaskView,
    TicketsView,
    encode_edited,
    encode_generated,
    get,
    old_task_encoder,
    task_encoder,
)
from .videos import (
    ClipTicketView,
    ClipView,
    VideoView,
    content,
    encode_clip_ticket,
    encode_video,
    generate_clip,
    generate_video,
    minted,
)

MAX_INDEX = 64
WAIT = Field("wait", "Seconds to hold the answer until the task is final, 55 at most.", "number", example=20)
SWITCHES = (
    Field("async", "1, true, yes or on: answer at once.", example="true"),
    Field("wait_for_result", "0, false, no or off: answer at once.", example="false"),
    Field("compat", "apimart: answer at once, in APIMart's shape.", example="apimart"),
)
LINK = (
    Field("exp", "When the link ends, in milliseconds.", "integer", required=True),
    Field("sig", "Its signature.", required=True),
)


def download(request: WireRequest) -> Command:
    """Read a result by its signed link."""
    index = request.params["index"]
    if not (index.isascii() and index.isdigit() and len(index) <= 4 and int(index) <= MAX_INDEX):
        raise TaskError(Code.INVALID_INPUT, f"A result's number is 0 to {MAX_INDEX}.", param="index")
    return Download(request.params["id"], int(index), request.signature())


def configure(options: Mapping[str, Any]) -> Dialect:
    """The dialect with the operator's options: `trace`, true or false."""
    unknown = sorted(options.keys() - {"trace"})
    if unknown:
        raise ValueError(f"there is no option {unknown[0]!r}; there is: trace")
    trace = options.get("trace", False)
    if trace is not True and trace is not False:
        raise ValueError(f"trace must be true or false, not {trace!r}")
    return made(trace=trace)


def made(*, trace: bool) -> Dialect:
    """The dialect; with `trace`, task queries have what the vendor's server adds to its documented answers."""
    return Dialect(
        name="dimilinks",
        title="Dimilinks",
        description="Pictures, edits, videos and chats as clients of api-direct.dimilinks.com and of OpenAI send them.",
        at_root=True,
        credential=bearer_or_bare,
        encode_error=encode_error,
        error=ErrorBody,
        mint_id=minted("img"),
        models=(*IMAGE_MODELS, *VIDEO_MODELS),
        capabilities=frozenset({"sync"}),
        configure=configure,
        endpoints=(*IMAGES, *queries(trace=trace), *VIDEOS, *OTHERS),
    )


IMAGES = (
    Endpoint(
        method="POST",
        path="/v1/images/generations",
        decode=generate,
        encode=encode_generated,
        request=ImageBody,
        response=ImagesView | TicketsView,
        query=SWITCHES,
        summary="Make pictures",
        description="From a text, or from a text and reference pictures. The answer waits for the results, 7 minutes at"
        " most, unless a switch of the query, of the headers (`Prefer: respond-async`) or of the body says otherwise.",
    ),
    Endpoint(
        method="POST",
        path="/v1/images/edits",
        decode=edit,
        encode=encode_edited,
        response=ImagesView | TicketsView,
        uploads=True,
        form=EDIT_FORM,
        query=SWITCHES,
        summary="Edit pictures",
        description="Changes uploaded pictures as a text says. The answer waits for the results, 8 minutes at most,"
        " unless a switch of the query or of the headers says otherwise.",
    ),
    Endpoint(
        method="GET",
        path="/p/img/{id}/{index}",
        decode=download,
        encode=not_encoded,
        public=True,
        query=LINK,
        summary="Read a result",
        description="By a link of a task's answer. Refusals have no body.",
    ),
)


def queries(*, trace: bool) -> tuple[Endpoint, ...]:
    """Both task queries."""
    return (
        Endpoint(
            method="GET",
            path="/v1/tasks/{id}",
            decode=get,
            encode=task_encoder(trace=trace),
            response=TaskView | ClipView,
            query=(WAIT,),
            poll=True,
            summary="Read a task",
            description="Videos that were asked for here are wrapped in `data`, pictures are not.",
        ),
        Endpoint(
            method="GET",
            path="/v1/images/tasks/{id}",
            decode=get,
            encode=old_task_encoder(trace=trace),
            response=OldTaskView,
            query=(WAIT,),
            poll=True,
            summary="Read a task, in the older shape",
        ),
    )


VIDEOS = (
    Endpoint(
        method="POST",
        path="/v1/videos/generations",
        decode=generate_clip,
        encode=encode_clip_ticket,
        mint_id=minted("video"),
        request=ClipBody,
        response=ClipTicketView,
        summary="Make a video, the older way",
        description="Always answered at once. Read the task at `/v1/tasks/{id}`.",
    ),
    Endpoint(
        method="POST",
        path="/v1/videos",
        decode=generate_video,
        encode=encode_video,
        mint_id=minted("task"),
        request=VideoBody,
        response=VideoView,
        summary="Make a video",
        description="Always answered at once.",
    ),
    Endpoint(
        method="GET",
        path="/v1/videos/{id}",
        decode=get,
        encode=encode_video,
        response=VideoView,
        query=(WAIT,),
        poll=True,
        summary="Read the task of a video",
    ),
    Endpoint(
        method="GET",
        path="/v1/videos/{id}/content",
        decode=content,
        encode=not_encoded,
        summary="Read a video",
        description="The bytes, for the key that asked for it. 409 while the task is not finished.",
    ),
)

OTHERS = (
    Endpoint(
        method="POST",
        path="/v1/chat/completions",
        decode=chat,
        encode=encode_chat,
        opening=open_chat,
        request=ChatBody,
        response=ChatView,
        summary="Chat with a model that makes pictures",
        description="The last message of the user is the prompt; the answer shows the results in Markdown.",
    ),
    Endpoint(
        method="GET",
        path="/v1/models",
        decode=list_models,
        encode=encode_models,
        response=ModelsView,
        summary="List models",
    ),
    Endpoint(
        method="GET",
        path="/api/pricing",
        decode=list_models,
        encode=encode_prices,
        response=PricesView,
        public=True,
        summary="List prices",
    ),
    Endpoint(
        method="GET",
        path="/healthz",
        decode=live,
        encode=encode_health,
        response=HealthView,
        public=True,
        summary="Whether the server is alive",
    ),
    Endpoint(
        method="GET",
        path="/readyz",
        decode=ready,
        encode=encode_health,
        response=HealthView,
        public=True,
        summary="Whether the server can work",
    ),
)

dialect = made(trace=False)
