"""Inbound wire APIs. A dialect is a value: endpoints with a pure `decode` and a pure `encode` each.

A dialect module does no I/O, knows no transport and no database, and exports `dialect`. It is found by its module name
here or through the entry point group `darkroom.dialects`; adding one edits no other file.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec

from ..core.commands import Command, Notice, Signature, TaskEvent, TaskResult
from ..core.errors import Code, TaskError
from ..core.ids import new_key
from ..core.task import Failure, File, State, Task
from ..core.unchanged import unchanged
from ..plugins import entry_points

T = TypeVar("T")

# What HTTP itself would call each problem; a vendor may call it something else.
HTTP_STATUS: Mapping[Code, int] = {
    Code.MISSING_KEY: 401,
    Code.INVALID_KEY: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.INVALID_INPUT: 400,
    Code.INVALID_MEDIA: 400,
    Code.TOO_LARGE: 413,
    Code.UNSUPPORTED: 400,
    Code.UNKNOWN_MODEL: 400,
    Code.NO_CREDITS: 402,
    Code.CONFLICT: 409,
    Code.IDEMPOTENCY_MISMATCH: 422,
    Code.RATE_LIMITED: 429,
    Code.INVALID_LINK: 403,
    Code.EXPIRED_LINK: 403,
    Code.RESULTS_EXPIRED: 410,
    Code.UNAVAILABLE: 503,
    Code.INTERNAL: 500,
    Code.ENGINE_FAILED: 502,
    Code.TIMED_OUT: 504,
    Code.WORKER_LOST: 502,
    Code.STORAGE_FAILED: 503,
    Code.CONTENT_REJECTED: 400,
    Code.CANCELED: 409,
}

PARAM = re.compile(r"\{([^}:]+)[^}]*\}")  # in the path of an endpoint
MAX_WAIT = 55.0  # seconds: under the common 60 s limit of proxies
EVENT_STREAM = "text/event-stream"
EXPIRED = Failure(Code.RESULTS_EXPIRED, "The results have expired and were removed. Submit the task again.")


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file part of a multipart request, already checked and stored."""

    field: str
    filename: str
    file: File


@unchanged(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """A request as plain data. `path` is relative to the dialect's mount, `base_url` is scheme, host and mount.

    `headers` have lower-case names. `form` holds the text fields of a multipart or urlencoded body, `files` its file
    parts. `files_url` replaces `base_url` in links to files, where it is set. `sign` returns the query of a signed link
    to a path of this dialect.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    query_string: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    form: tuple[tuple[str, str], ...] = ()
    files: tuple[FormFile, ...] = ()
    base_url: str = ""
    files_url: str = ""
    sign: Callable[[str], str] = lambda _path: "exp=0&sig="

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; of a repeated one, the last."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    def json(self, shape: type[T]) -> T:
        """The body as a wire struct, or a `TaskError` that names the field at fault."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except msgspec.ValidationError as error:
            text = str(error)
            param = text.split("`$.")[1].split("`", maxsplit=1)[0].split("[", maxsplit=1)[0] if "`$." in text else None
            if param is None and "required field `" in text:
                param = text.split("required field `")[1].split("`", maxsplit=1)[0]
            raise TaskError(Code.INVALID_INPUT, f"Invalid request body: {text}.", param=param) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TaskError(Code.INVALID_INPUT, f"The request body is not valid JSON: {error}.") from None

    def each(self, shape: type[T]) -> list[T]:
        """The body as many wire structs: a JSON array, or one of them a line."""
        if self.body.lstrip()[:1] == b"[":
            return self.json(list[shape])  # type: ignore[valid-type]
        found = []
        for number, line in enumerate(filter(bytes.strip, self.body.splitlines())):
            try:
                found.append(replace(self, body=line).json(shape))
            except TaskError as error:
                error.message = f"Line {number + 1}: {error.message}"
                raise
        return found

    def field(self, name: str) -> str | None:
        """A text field of the form; of a repeated one, the last. Blank counts as absent."""
        found = [value for key, value in self.form if key == name]
        return (found[-1].strip() or None) if found else None

    def link(self, path: str) -> str:
        """An absolute signed URL for a file at a path of this dialect."""
        return f"{self.files_url or self.base_url}{path}?{self.sign(path)}"

    def own_link(self, path: str) -> str:
        """An absolute signed URL for something else at a path of this dialect, which no cache should be in front of."""
        return f"{self.base_url}{path}?{self.sign(path)}"

    def signature(self) -> Signature:
        """The signature that a signed link carries; `invalid_input` where it is missing or malformed."""
        query = self.query
        expires = query.get("exp", "")
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 15 and query.get("sig")):
            raise TaskError(
                Code.INVALID_INPUT, "The link is incomplete: it needs 'exp' and 'sig'. Query the task again."
            )
        return Signature(self.path, int(expires), query["sig"])

    def wait(self) -> float:
        """Seconds to hold the answer, from `?wait=` or `Prefer: wait=`; 0 without, at most `MAX_WAIT`."""
        value = self.query.get("wait")
        for token in self.headers.get("prefer", "").split(","):
            name, _, seconds = token.strip().partition("=")
            if name.strip().lower() == "wait" and value is None:
                value = seconds.strip().strip('"')
        if value is None:
            return 0.0
        try:
            seconds_asked = float(value)
        except ValueError:
            seconds_asked = -1.0
        if not 0 <= seconds_asked < float("inf"):
            raise TaskError(
                Code.INVALID_INPUT, "Parameter 'wait' must be a number of seconds, 0 or more.", param="wait"
            )
        return min(seconds_asked, MAX_WAIT)


@dataclass(frozen=True, slots=True)
class WireResponse:
    """An answer as plain data."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = "application/json"


def answer(body: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> WireResponse:
    """A JSON answer from a wire struct or plain data."""
    return WireResponse(status, msgspec.json.encode(body), headers)


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of a query or a field of a form, for documents and tests. `many` fields may be repeated."""

    name: str
    description: str
    kind: Literal["string", "integer", "number", "boolean", "file"] = "string"
    required: bool = False
    many: bool = False
    choices: tuple[Any, ...] = ()
    example: Any = None


WAIT = Field("wait", "Hold the answer until the task is final, for at most so many seconds (55).", "number")
SIGNED = (
    Field("exp", "When the link expires; it comes with the link.", required=True),
    Field("sig", "The link's signature.", required=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One route. `decode` raises only `TaskError`.

    `public` routes need no credential (their signature is one); at `linked` ones a signed link may stand in for it.
    `poll` marks a status query whose answer depends on nothing but the task and the request's path, query and body: the
    hot path may serve it. `uploads` routes take files.

    `opening` makes a submit a stream of server-sent events, where it returns bytes for the new task: these are sent at
    once, comments while the task runs, and then the body of `encode`. Its `decode` does not wait in that case.
    `mint_id` spells the ids of tasks that are made here, where it is not as the dialect's others.

    The rest describes the route in the OpenAPI document: `request` and `response` are wire structs (or a union of
    them), `query` and `form` the parameters and form fields, `status` that of a success. A `stream` answers
    server-sent events, and `response` is what each of them holds.
    """

    method: str
    path: str
    decode: Callable[[WireRequest], Command]
    encode: Callable[[Any, WireRequest], WireResponse]
    summary: str = ""
    public: bool = False
    linked: bool = False
    poll: bool = False
    uploads: bool = False
    opening: Callable[[TaskResult, WireRequest], bytes | None] | None = None
    mint_id: Callable[[], str] | None = None
    description: str = ""
    request: Any = None
    response: Any = None
    query: tuple[Field, ...] = ()
    form: tuple[Field, ...] = ()
    status: int = 200
    stream: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """A WebSocket that tells an account what happens to its tasks.

    `encode` makes the messages for one notice, `beat` is sent every `every` seconds, and `replaced` before the socket
    is closed because its key ended. What the client sends is read and dropped.
    """

    path: str
    credential: Callable[[WireRequest], str | None]
    encode: Callable[[Notice, WireRequest], tuple[str, ...]]
    beat: str
    replaced: str
    every: float = 30.0
    summary: str = ""


def without_expired(task: Task) -> Task:
    """A task for who has no word for results that have expired: it has failed, and says why."""
    if task.expired_at is None or task.state is not State.SUCCEEDED:
        return task
    children = tuple(without_expired(child) for child in task.children)
    return replace(task, state=State.FAILED, failure=EXPIRED, artifacts=(), children=children)


def not_encoded(_result: Any, request: WireRequest) -> WireResponse:
    """`encode` of endpoints that answer with a file: the pipeline streams it."""
    raise TypeError(f"{request.path} answers with a file")


def new_id() -> str:
    """A random public id of 32 hex digits, for dialects whose vendor has no spelling of its own."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """An inbound wire API as a value.

    `models` are the names that the vendor's clients send; each means the default model of the operation unless
    configuration maps it. `at_root` mounts the dialect at `/` beside `/<name>`; `prefix` replaces `/<name>`.
    `capabilities` are facts that the conformance kit checks: `cancel webhook push sync children list delete expires`;
    a dialect that does not know `expires`, results that have expired, is given a failed task instead.
    `error` is the wire struct of every refusal, `title` and `description` head the OpenAPI document. `configure` makes
    the dialect from its table of the settings, and raises `ValueError` for what it cannot use. `encode_webhook` makes
    the body that a webhook is sent, `None` where the vendor sends nothing; without it, it is the answer to the status
    query.
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    credential: Callable[[WireRequest], str | None]
    encode_error: Callable[[TaskError, WireRequest], WireResponse]
    mint_id: Callable[[], str] = new_id
    mint_key: Callable[[], str] = new_key
    encode_webhook: Callable[[TaskEvent, WireRequest], bytes | None] | None = None
    sockets: tuple[Socket, ...] = ()
    configure: Callable[[Mapping[str, Any]], Dialect] | None = None
    error: Any = None
    title: str = ""
    description: str = ""
    models: tuple[str, ...] = ()
    at_root: bool = False
    prefix: str | None = None
    capabilities: frozenset[str] = frozenset()

    @property
    def mount(self) -> str:
        """Where the dialect always answers."""
        return f"/{self.name}" if self.prefix is None else self.prefix

    def webhook_body(
        self, told: TaskEvent, base_url: str, sign: Callable[[str], str], files_url: str = ""
    ) -> bytes | None:
        """What a webhook is sent of a task, or `None` for nothing; the rest is as in `WireRequest`."""
        if "expires" not in self.capabilities:
            told = replace(told, task=without_expired(told.task))
        query = next(endpoint for endpoint in self.endpoints if endpoint.poll)
        request = WireRequest(
            method=query.method,
            path=PARAM.sub(told.task.public_id, query.path),
            params=dict.fromkeys(PARAM.findall(query.path), told.task.public_id),
            body=b"{}",
            base_url=base_url,
            files_url=files_url,
            sign=sign,
        )
        return self.encode_webhook(told, request) if self.encode_webhook else query.encode(told, request).body


def bearer_or_bare(request: WireRequest) -> str | None:
    """The key from `Authorization`, with or without the word Bearer."""
    value = request.headers.get("authorization", "").strip()
    scheme, _, key = value.partition(" ")
    return (key.strip() if scheme.lower() == "bearer" else value) or None


def discover() -> tuple[Dialect, ...]:
    """Every dialect: the modules of this package, then those of installed plug-ins."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    found = [importlib.import_module(f"{__name__}.{name}").dialect for name in names]
    found += [entry.load() for entry in entry_points("darkroom.dialects")]
    for dialect in found:
        if not isinstance(dialect, Dialect):
            raise TypeError(f"a dialect plug-in exports {type(dialect).__name__}, not a Dialect")
    return tuple(found)
