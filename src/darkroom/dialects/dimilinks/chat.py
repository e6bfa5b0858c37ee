"""Chats with models that make pictures: the last message of the user is the prompt, the answer shows the results.

`stream: true` makes it server-sent events: who speaks at once, the pictures when they are done, and the end. What goes
wrong before the task is made is an ordinary refusal; what goes wrong later is an event that OpenAI's clients raise.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...core.commands import Command, Source, TaskResult
from ...core.errors import Code, TaskError
from ...core.task import Operation, State, Task
from .. import EVENT_STREAM, WireRequest, WireResponse, answer
from .bodies import ChatBody, Message, read
from .errors import encode_failure, encode_timeout
from .modes import streamed
from .references import sources
from .submit import GENERATION_WAIT, begun, completed
from .tasks import links
from .views import Seconds, created

DONE = b"data: [DONE]\n\n"
ChatId = Annotated[str, Meta(examples=["chatcmpl-2d3e8a7c-3f0e-5c55-8e3a-6f1c7d1b2a90"])]
ASKED = "model"  # in the luggage of a task: the model as its caller called it


class Answer(msgspec.Struct):
    """What the model says: the pictures, in Markdown."""

    role: Literal["assistant"]
    content: Annotated[
        str, Meta(examples=["![generated](https://example.com/p/img/img_xxx/0?exp=1777166400000&sig=…)"])
    ]


class Choice(msgspec.Struct):
    """The one answer."""

    index: int
    message: Answer
    finish_reason: Literal["stop"]


class Usage(msgspec.Struct):
    """Pictures have no tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class ChatView(msgspec.Struct):
    """The answer to a chat."""

    id: ChatId
    object: Literal["chat.completion"]
    created: Seconds
    model: str
    choices: list[Choice]
    usage: Usage


class Delta(msgspec.Struct):
    """What an event adds to the answer."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET


class ChunkChoice(msgspec.Struct):
    """The one answer, in part."""

    index: int
    delta: Delta
    finish_reason: Literal["stop"] | None


class ChunkView(msgspec.Struct):
    """An event of a streamed chat."""

    id: ChatId
    object: Literal["chat.completion.chunk"]
    created: Seconds
    model: str
    choices: list[ChunkChoice]


def chat(request: WireRequest) -> Command:
    """Make pictures from the last message of the user."""
    body = read(request, ChatBody)
    if not (body.model and body.model.strip()):
        message = "Parameter 'model' is required: name one that makes pictures, such as gpt-image-2."
        raise TaskError(Code.INVALID_INPUT, message, param="model")
    prompt, pictures = last_message(body.messages or [])
    command = begun(body, Operation.IMAGE_EDIT if pictures else Operation.IMAGE_GENERATE)
    if not prompt.strip():
        problem = TaskError(
            Code.INVALID_INPUT, "图像模型需要用户消息作为 prompt,请检查 messages 内容", param="messages"
        )
        return replace(command, refusal=problem)
    waiting = replace(command, wait=0 if streamed(request) else GENERATION_WAIT)
    return completed(waiting, body, prompt, pictures, None, "mask")


def last_message(messages: list[Message]) -> tuple[str, tuple[Source, ...]]:
    """Text and reference pictures of the last message of the user."""
    said = [message.content for message in messages if message.role == "user"]
    content = said[-1] if said else None
    if not isinstance(content, list):
        return content or "", ()
    texts = [part.text for part in content if part.type == "text" and part.text]
    return "\n".join(texts), sources(part.image_url for part in content if part.type == "image_url")


def open_chat(result: TaskResult, request: WireRequest) -> bytes | None:
    """The first event of a streamed chat; nothing for others."""
    return event(result.task, Delta(role="assistant", content="")) if streamed(request) else None


def encode_chat(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer to a chat: all of it, or the rest of a stream."""
    task = result.task
    if task.state is State.SUCCEEDED:
        return end_of_stream(task, request) if streamed(request) else answer(whole_chat(task, request))
    refused = encode_failure(task, request) if task.state.final else encode_timeout(task, request)
    if streamed(request):
        return replace(refused, body=b"data: " + refused.body + b"\n\n", media_type=EVENT_STREAM)
    return refused


def whole_chat(task: Task, request: WireRequest) -> ChatView:
    """A chat as one answer."""
    choice = Choice(0, Answer("assistant", shown(task, request)), "stop")
    return ChatView(chat_id(task), "chat.completion", created(task), asked(task), [choice], Usage())


def end_of_stream(task: Task, request: WireRequest) -> WireResponse:
    """The pictures, the end, and the mark of the end."""
    body = event(task, Delta(content=shown(task, request))) + event(task, Delta(), "stop") + DONE
    return WireResponse(200, body, media_type=EVENT_STREAM)


def shown(task: Task, request: WireRequest) -> str:
    """The pictures in Markdown."""
    return "\n\n".join(f"![generated]({link.url})" for link in links(task, request))


def event(task: Task, delta: Delta, finish_reason: Literal["stop"] | None = None) -> bytes:
    """One event."""
    choice = ChunkChoice(0, delta, finish_reason)
    chunk = ChunkView(chat_id(task), "chat.completion.chunk", created(task), asked(task), [choice])
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def chat_id(task: Task) -> str:
    """The id of a chat, always the same for one task."""
    return f"chatcmpl-{uuid.uuid5(uuid.NAMESPACE_OID, task.public_id)}"


def asked(task: Task) -> str:
    """The model as it was asked for."""
    return str(task.extra.get(ASKED, task.model))
