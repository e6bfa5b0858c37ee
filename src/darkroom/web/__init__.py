"""The HTTP side: every dialect's endpoints behind one pipeline.

read -> credential -> authenticate -> decode -> service -> encode. A `TaskError` is answered in the dialect's words; any
other exception is a bug: logged, and answered as `internal`. Files that a refused request uploaded are removed again.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.formparsers import FormParser, MultiPartParser
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from .. import tracing
from ..addresses import AS_ASKED, Addresses
from ..callers import Callers
from ..core.access import Caller
from ..core.commands import (
    Archive,
    Command,
    Content,
    Following,
    Get,
    Result,
    Submit,
    SubmitBatch,
    TaskPage,
    TaskResult,
    Update,
)
from ..core.errors import Code, TaskError
from ..core.scopes import check_scope
from ..core.task import File
from ..dialects import Dialect, Endpoint, FormFile, WireRequest, WireResponse, without_expired
from ..log import Event, level_of, write
from ..service import Service
from .archive import archive_response
from .bodies import READ, json_only, limited, parsed, read_away, texts
from .cross_origin import CrossOrigin
from .describe import described
from .envelope import DIALECT, SAFE, Envelope
from .events import event_stream
from .files import CACHE, CACHE_OF_CDN, file_response
from .headers import address_of, with_task_headers
from .push import Push
from .status import TASK, StatusPath
from .streams import streamed
from .waiting import while_connected

MAX_BODY = 64 << 20  # bytes of a JSON or urlencoded body: nine pictures as base64 fit
MAX_SMALL = 1 << 20  # bytes of a body that can hold no picture
MAX_FORM = 512 << 20  # bytes of a multipart body, which goes to disk
MAX_FIELD = 1 << 20  # bytes of one text field
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class Mounted:
    """One endpoint at one place."""

    dialect: Dialect
    endpoint: Endpoint
    prefix: str

    @property
    def path(self) -> str:
        """The whole path pattern."""
        return self.prefix + self.endpoint.path


def mounts(dialects: Iterable[Dialect], extra: Mapping[str, str]) -> tuple[Mounted, ...]:
    """Every endpoint everywhere. `extra` maps further prefixes to dialects' names. Collisions are a `ValueError`."""
    named = {dialect.name: dialect for dialect in dialects}
    placed = [(dialect, dialect.mount) for dialect in named.values()]
    placed += [(dialect, "") for dialect in named.values() if dialect.at_root]
    for prefix, name in extra.items():
        if name not in named:
            raise ValueError(f"mount {prefix!r}: there is no dialect {name!r}; there are: {', '.join(named)}")
        placed.append((named[name], prefix.rstrip("/")))
    found = [Mounted(dialect, endpoint, prefix) for dialect, prefix in placed for endpoint in dialect.endpoints]
    taken: dict[tuple[str, str], Mounted] = {}
    for mounted in found:
        shape = "/".join("{}" if part.startswith("{") else part for part in mounted.path.split("/"))
        other = taken.setdefault((mounted.endpoint.method, shape), mounted)
        if other is not mounted and other.dialect is not mounted.dialect:
            raise ValueError(
                f"{mounted.endpoint.method} {mounted.path} belongs to both {other.dialect.name} and"
                f" {mounted.dialect.name}: mount one of them elsewhere"
            )
    return tuple(found)


class Pipeline:
    """Carries one request from wire to wire."""

    def __init__(self, service: Service, addresses: Addresses = AS_ASKED, callers: Callers | None = None) -> None:
        self._service = service
        self._addresses = addresses
        self.callers = callers or Callers(service.keyring, service.rates)

    async def respond(self, mounted: Mounted, request: Request) -> Response:
        """Answer one request."""
        dialect, endpoint = mounted.dialect, mounted.endpoint
        request.scope[DIALECT] = dialect.name
        wire = self.wire_request(mounted.prefix, request)
        kept: list[File] = []
        try:
            caller = None
            if not (endpoint.public or (endpoint.linked and "sig" in wire.query)):
                key, address = dialect.credential(wire), address_of(request, self.callers)
                caller = await self.callers.caller(key, address, counted=not endpoint.poll)
            if not endpoint.public or endpoint.request is not None:
                wire = await self._with_body(wire, request, endpoint, caller.account_id if caller else None)
                kept += [item.file for item in wire.files]
            maker = replace(dialect, mint_id=endpoint.mint_id) if endpoint.mint_id else dialect
            command = with_key(endpoint.decode(wire), wire)
            result = shown(dialect, await self._carry_out(caller, command, maker, request, kept))
            if endpoint.opening and isinstance(result, TaskResult) and (opening := endpoint.opening(result, wire)):
                return streamed(self._service, result.task, opening, partial(said, dialect, endpoint, wire))
            if endpoint.poll and isinstance(result, TaskResult) and caller and not caller.rules.networks:
                # An answer to a key that is good at some addresses alone is not remembered: it would go to any.
                request.scope[TASK] = result.task, dialect.credential(wire)
            if isinstance(result, Content | Archive | Following):
                return await self._stream(result, dialect, endpoint, wire)
            answer = endpoint.encode(result, wire)
            if isinstance(result, TaskResult):
                answer = with_task_headers(answer, result, request.headers if endpoint.poll else None)
        except TaskError as error:
            answer = refusal(dialect, wire, error)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as bug:  # noqa: BLE001 - the last line of defence of the server
            write(Event.REQUEST_FAILED, level=logging.ERROR, error=bug, method=wire.method, path=wire.path)
            answer = dialect.encode_error(
                TaskError(Code.INTERNAL, "The server failed. The operator can see why."), wire
            )
        finally:
            if kept:
                await self._service.inputs.discard(kept)
        await read_away(request)
        return response(answer, closing=unread(request))

    async def _stream(
        self, result: Content | Archive | Following, dialect: Dialect, endpoint: Endpoint, wire: WireRequest
    ) -> Response:
        """An answer that is longer than a message."""
        if isinstance(result, Content):
            save = wire.query.get("download") in ("1", "true")
            cache = CACHE_OF_CDN if self._addresses.cdn_url else CACHE
            service, method = self._service, wire.method
            return await file_response(
                result, service.objects, method, wire.headers, save=save, cache=cache, clock=service.clock
            )
        if wire.method == "HEAD":
            return Response(headers={"Cache-Control": "no-store"})
        if isinstance(result, Archive):
            return archive_response(result, self._service.objects)

        async def allowed() -> bool:
            try:
                return bool("sig" in wire.query or await self._service.keyring.caller(dialect.credential(wire)))
            except TaskError as error:
                return error.code is not Code.INVALID_KEY

        return await event_stream(self._service, result, partial(update, dialect, endpoint, wire), allowed)

    async def _carry_out(
        self, caller: Caller | None, command: Command, dialect: Dialect, request: Request, kept: list[File]
    ) -> Result:
        """The result of a command, if the key is for that. Uploads leave `kept` when they belong to a stored task.

        No answer is waited for when its caller has gone; what was submitted is stored and runs all the same.
        """
        if caller is not None:
            check_scope(caller, command)
        if isinstance(command, Submit) and caller is not None:
            with tracing.span("submit", dialect=dialect.name, operation=command.operation.value):
                task = await self._service.submit(caller.account_id, command, dialect, caller)
                tracing.note(task=task.public_id, model=task.model)
            used = {file.id for part in (task, *task.children) for file in part.inputs}
            kept[:] = [file for file in kept if file.id not in used]  # a repeated request's own uploads are not
            await self._service.inputs.discard(kept)
            kept.clear()
            coming: Coroutine[Any, Any, Result] = self._service.outcome(caller.account_id, task, command)
        else:
            coming = self._service.handle(caller.account_id if caller else None, command, dialect, caller)
        waits = isinstance(command, Submit | Get) and command.wait
        result = await (while_connected(request, coming) if waits else coming)
        if not isinstance(command, Submit):
            kept.clear()
        return result

    def wire_request(self, prefix: str, request: HTTPConnection) -> WireRequest:
        """The request as plain data, its body not read yet. Of a header that is repeated, the first counts."""
        scope = request.scope
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
        scheme = scope.get("scheme", "http").replace("ws", "http")
        base_url = self._addresses.base(f"{scheme}://{headers.get('host', 'localhost')}", prefix)
        signer, now = self._service.signer, self._service.clock()
        return WireRequest(
            method=scope.get("method", "GET"),
            path=scope["path"].removeprefix(prefix),
            params=request.path_params,
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            base_url=base_url,
            files_url=self._addresses.files(base_url),
            sign=lambda path: signer.sign(path, now),
        )

    async def _with_body(
        self, wire: WireRequest, request: Request, endpoint: Endpoint, account_id: str | None
    ) -> WireRequest:
        media_type = wire.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type == FORMS[0] and endpoint.form:
            return await self._with_form(wire, request, account_id)
        takes_pictures = not endpoint.poll and not endpoint.public and (endpoint.request is not None or endpoint.form)
        stream = limited(request, MAX_BODY if takes_pictures else MAX_SMALL)
        if media_type == FORMS[1] and endpoint.form:  # elsewhere it is what curl -d calls JSON
            return replace(wire, form=texts(await parsed(FormParser(request.headers, stream))))
        return replace(wire, body=b"".join([chunk async for chunk in json_only(stream)]))

    async def _with_form(self, wire: WireRequest, request: Request, account_id: str | None) -> WireRequest:
        stream = limited(request, MAX_SMALL if account_id is None else MAX_FORM)
        form = await parsed(
            MultiPartParser(request.headers, stream, max_files=32, max_fields=200, max_part_size=MAX_FIELD)
        )
        files: list[FormFile] = []
        try:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    kept = await self._keep(account_id, name, value)
                    files.append(FormFile(name, value.filename or "", kept))
        except BaseException:
            await self._service.inputs.discard([item.file for item in files])
            raise
        finally:
            await form.close()
        return replace(wire, form=texts(form), files=tuple(files))

    async def _keep(self, account_id: str | None, name: str, upload: UploadFile) -> File:
        if account_id is None:
            raise TaskError(Code.INVALID_INPUT, "Files are taken from callers with a key only.", param=name)
        try:
            return await self._service.inputs.keep(account_id, upload.file)
        except TaskError as error:
            error.param = name
            raise


def said(dialect: Dialect, endpoint: Endpoint, wire: WireRequest, end: TaskResult | TaskError) -> bytes:
    """The end of a stream: what the endpoint says of the task, or why nothing more can be said."""
    if isinstance(end, TaskResult):
        return endpoint.encode(end, wire).body
    return b"data: " + refusal(dialect, wire, end).body + b"\n\n"


def update(dialect: Dialect, endpoint: Endpoint, wire: WireRequest, news: Update | TaskError) -> bytes:
    """What a follower is told, or why it is told nothing more."""
    if isinstance(news, TaskError):
        return b"event: failure\ndata: " + refusal(dialect, wire, news).body + b"\n\n"
    return endpoint.encode(news, wire).body


def with_key(command: Command, wire: WireRequest) -> Command:
    """A submit with what is the same in every dialect: the key that makes it happen once, and where it came in.

    The tasks of a batch have their `base_url` from the dialect.
    """
    if isinstance(command, SubmitBatch):
        return replace(command, idempotency_key=wire.headers.get("idempotency-key"))
    if isinstance(command, Submit):
        key = command.idempotency_key if command.idempotency_key is not None else wire.headers.get("idempotency-key")
        return replace(command, base_url=wire.base_url, idempotency_key=key)
    return command


def shown(dialect: Dialect, result: Result) -> Result:
    """A result as the dialect can say it: not every vendor has a word for results that have expired."""
    if "expires" in dialect.capabilities:
        return result
    if isinstance(result, TaskResult):
        return replace(result, task=without_expired(result.task))
    if isinstance(result, TaskPage):
        return replace(result, tasks=tuple(without_expired(task) for task in result.tasks))
    return result


def unread(request: Request) -> bool:
    """True when a body is under way that nobody will read, so that no other request can follow it."""
    declared = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    return declared and not request.scope.get(READ)


def refusal(dialect: Dialect, wire: WireRequest, error: TaskError) -> WireResponse:
    """An error in the dialect's words; what only the operator may know goes to the log."""
    if error.detail:
        write(Event.REQUEST_FAILED, level=level_of(error), path=wire.path, reason=error.message, detail=error.detail)
    return dialect.encode_error(error, wire)


def response(answer: WireResponse, *, closing: bool = False) -> Response:
    """Plain data as an HTTP answer; `closing` ends the connection with it."""
    headers = {**SAFE, "Cache-Control": "no-store", **dict(answer.headers)}
    if closing:
        headers["Connection"] = "close"
    return Response(answer.body, answer.status, headers, answer.media_type)


class Application:
    """The ASGI application.

    Repeated status polls take their short way, paths without parameters are looked up, the rest is routed by Starlette.
    `own` are routes of the server itself, which no dialect has.
    """

    def __init__(
        self,
        service: Service,
        mounted: tuple[Mounted, ...],
        pipeline: Pipeline,
        native: Dialect,
        cross_origin: CrossOrigin,
        own: Iterable[BaseRoute] = (),
    ) -> None:
        self._native = native
        self._pipeline = pipeline
        self._exact = {(item.endpoint.method, item.path): item for item in mounted if "{" not in item.path}
        places = {(item.dialect.name, item.prefix): item.dialect for item in mounted}
        dialects = {dialect.name: dialect for dialect in places.values()}
        routes: list[BaseRoute] = [*own, *described(dialects.values(), pipeline.wire_request)]
        routes += [route(item, pipeline) for item in sorted(mounted, key=lambda item: item.path.count("{"))]
        push = Push(service, pipeline.wire_request, pipeline.callers)
        for (_, prefix), dialect in places.items():
            routes += [push.route(socket, prefix) for socket in dialect.sockets]
        self._starlette = Starlette(routes=routes, exception_handlers={404: self._lost, 405: self._lost})
        self._starlette.router.redirect_slashes = False  # behind a proxy it would send clients to the wrong place
        polls = (item for item in mounted if item.endpoint.poll)
        self.status = StatusPath(service.store, service.keyring, service.hub, polls, self._route)
        self._serve = Envelope(partial(cross_origin, self.status))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. A client that hangs up in the middle of a file is no error.

        Where the storage fails in the middle of one, the connection ends, and nobody takes what came for the whole.
        """
        try:
            with suppress(ClientDisconnect):
                await self._serve(scope, receive, send)
        except TaskError as error:
            write(Event.STORAGE_FAILED, level=logging.WARNING, reason=error.detail or error.message)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        mounted = self._exact.get((scope.get("method", ""), scope.get("path", "")))
        if mounted is None:
            await self._starlette(scope, receive, send)
            return
        answer = await self._pipeline.respond(mounted, Request(scope, receive, send))
        await answer(scope, receive, send)

    async def _lost(self, request: Request, error: Any) -> Response:
        """A path or a method that nobody serves."""
        if error.status_code == 405:
            message = f"{request.url.path} does not take {request.method}."
        else:
            message = f"There is nothing at {request.url.path[:200]}."
        refused = self._native.encode_error(TaskError(Code.NOT_FOUND, message), WireRequest(method="GET", path=""))
        return response(replace(refused, status=error.status_code))


def route(mounted: Mounted, pipeline: Pipeline) -> Route:
    """A Starlette route for one endpoint."""

    async def endpoint(request: Request) -> Response:
        return await pipeline.respond(mounted, request)

    return Route(mounted.path, endpoint, methods=[mounted.endpoint.method])
