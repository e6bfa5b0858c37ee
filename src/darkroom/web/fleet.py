"""The server's side of workers elsewhere: `/workers/…`, for keys with the scope `worker`.

A lease is known by its task's internal id, which no caller ever sees, and the number of the attempt. Whoever names a
lease that runs may read the task's inputs and write below `tasks/<id>/<attempt>/`; nothing becomes a result before the
store accepts the attempt's end.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeVar, cast

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..callers import Callers
from ..clock import Clock
from ..core.access import Scope
from ..core.commands import Content
from ..core.errors import Code, TaskError
from ..core.task import File, State, Task
from ..desk import StoreDesk
from ..fleet.messages import (
    PREFIX,
    PROTOCOL,
    Claim,
    Claimed,
    Done,
    Ended,
    Hello,
    Hints,
    Place,
    Problem,
    Renewal,
    Welcome,
)
from ..hub import CANCEL, WORK, Hub, woken
from ..log import Event, write
from ..media import EXTENSIONS
from ..objects import KEY, Objects
from ..store import Store, Verdict
from .bodies import limited, read_away
from .files import file_response
from .headers import address_of

T = TypeVar("T")

STATUS = {
    Code.MISSING_KEY: 401,
    Code.INVALID_KEY: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.TOO_LARGE: 413,
    Code.RATE_LIMITED: 429,
    Code.UNAVAILABLE: 503,
    Code.STORAGE_FAILED: 503,
    Code.INTERNAL: 500,
}
MOST_TASKS = 1024  # in one claim: as many as a worker's `workers` may be
MOST = 16 << 20  # bytes of a message
MOST_OF_A_FILE = 16 << 30  # bytes of a result
LONGEST_WAIT = 25.0  # seconds until a worker that waits for hints is answered
PLACE = 600_000  # milliseconds for which a link to the storage works
GATHER = 0.02  # seconds in which hints are gathered


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the routes need. `desk` makes the desk at which a worker of some name is served."""

    store: Store
    objects: Objects
    hub: Hub
    callers: Callers
    desk: Callable[[str], StoreDesk]
    clock: Clock

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        lease = "/tasks/{task}/{attempt:int}"
        return [
            self._route("POST", "/hello", self._hello),
            self._route("POST", "/claim", self._claim),
            self._route("POST", "/renew", self._renew),
            self._route("POST", "/finish", self._finish),
            self._route("GET", "/hints", self._hints),
            self._route("GET", f"{lease}/inputs/{{number:int}}/place", self._place_of_input),
            self._route("GET", f"{lease}/inputs/{{number:int}}", self._input),
            self._route("GET", f"{lease}/places/{{name:path}}", self._place_for_result),
            self._route("PUT", f"{lease}/files/{{name:path}}", self._put),
            self._route("DELETE", f"{lease}/files/{{name:path}}", self._delete),
        ]

    def _route(self, method: str, path: str, answer: Callable[[Request], Coroutine[Any, Any, Response]]) -> Route:
        async def guarded(request: Request) -> Response:
            try:
                await self._check_key(request)
                return await answer(request)
            except TaskError as error:
                refused = error
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception as bug:  # noqa: BLE001 - the last line of defence of the server
                write(Event.REQUEST_FAILED, level=logging.ERROR, error=bug, method=method, path=request.url.path)
                refused = TaskError(Code.INTERNAL, "The server failed. The operator can see why.")
            await read_away(request)
            headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
            return said(Problem.of(refused), STATUS.get(refused.code, 400), headers)

        return Route(PREFIX + path, guarded, methods=[method])

    async def _check_key(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        given = key.strip() if scheme.lower() == "bearer" else None
        caller = await self.callers.caller(given, address_of(request, self.callers), counted=False)
        if Scope.WORKER not in caller.rules.scopes:
            raise TaskError(
                Code.FORBIDDEN,
                "This needs an API key with the scope 'worker': make one with `darkroom key create --scope worker`.",
            )

    # ---- what workers say

    async def _hello(self, request: Request) -> Response:
        body = await whole(request)
        said_to_speak = heard(body, Protocol).protocol
        if said_to_speak != PROTOCOL:
            raise TaskError(
                Code.UNSUPPORTED,
                f"This server speaks version {PROTOCOL} of the language of workers, and this worker version"
                f" {said_to_speak}. Run the same release of Darkroom on both.",
            )
        worker = replace(heard(body, Hello).worker, seen_at=self.clock())
        await self.store.announce(worker)
        return said(Welcome(self.clock(), self.desk(worker.name).lease))

    async def _claim(self, request: Request) -> Response:
        claim = heard(await whole(request), Claim)
        if not 1 <= claim.wish.room <= MOST_TASKS:
            raise TaskError(Code.INVALID_INPUT, f"A worker may want 1 to {MOST_TASKS} tasks at once.", param="room")
        desk = self.desk(claim.worker)
        tasks = await desk.leased(set(claim.holding)) if claim.again else []  # what an answer told that never arrived
        if len(tasks) < claim.wish.room:
            tasks += await desk.claim(replace(claim.wish, room=claim.wish.room - len(tasks)))
        due = await desk.next_due(claim.wish) if len(tasks) < claim.wish.room else None
        return said(Claimed([bare(task) for task in tasks], due))

    async def _renew(self, request: Request) -> Response:
        renewals = heard(await whole(request), list[Renewal])
        return said(list(await asyncio.gather(*(self._renew_one(renewal) for renewal in renewals))))

    async def _renew_one(self, renewal: Renewal) -> str:
        task = await self.store.task_of_id(renewal.task)
        if task is None or task.attempt != renewal.attempt:
            return Verdict.LOST.name
        return (await self.desk("").renew(task, renewal.news)).name

    async def _finish(self, request: Request) -> Response:
        ended = heard(await whole(request), Ended)
        below = f"tasks/{ended.task}/"  # those of an earlier attempt are a run's that a person has let through
        for artifact in ended.artifacts:
            if not all(key.startswith(below) for key in (artifact.key, artifact.thumbnail_key or artifact.key)):
                raise TaskError(Code.CONFLICT, f"The results of this task lie below {below}.")
        task = await self.store.task_of_id(ended.task)
        if task is None or task.attempt != ended.attempt:
            return said(Done(done=False))
        running = replace(task, state=State.RUNNING)  # the store says whether it is
        return said(Done(await self.desk("").finish(running, ended.outcome(), again=ended.again)))

    async def _hints(self, request: Request) -> Response:
        """Answer when there is something to look at, or after a while."""
        del request
        with self.hub.watch(WORK, CANCEL) as event:
            if not self.hub.closing() and await woken(event, LONGEST_WAIT):
                await asyncio.sleep(GATHER)
                return said(Hints([WORK, CANCEL]))
        return said(Hints([]))

    # ---- files

    async def _lease(self, request: Request) -> Task:
        """The task whose running attempt the path names."""
        task = await self.store.task_of_id(request.path_params["task"])
        if task is None or (task.state, task.attempt) != (State.RUNNING, request.path_params["attempt"]):
            raise TaskError(Code.CONFLICT, "This attempt does not run any more: its lease has ended.")
        return task

    async def _file(self, request: Request) -> File:
        task, number = await self._lease(request), request.path_params["number"]
        if number >= len(task.inputs):
            raise TaskError(Code.NOT_FOUND, f"The task has {len(task.inputs)} inputs.")
        file: File = task.inputs[number]
        return file

    async def _place_of_input(self, request: Request) -> Response:
        file, now = await self._file(request), self.clock()
        link = self.objects.link(
            "GET", file.key, until=now + PLACE, now=now, media_type=file.media_type, disposition="inline"
        )
        return said(Place(await link))

    async def _place_for_result(self, request: Request) -> Response:
        await self._lease(request)
        now = self.clock()
        return said(Place(await self.objects.link_to_put(file_key(request), until=now + PLACE, now=now)))

    async def _input(self, request: Request) -> Response:
        file = await self._file(request)
        content = Content(file.key, file.media_type, file.size, etag=f'"{file.id}"', name=file.id)
        return await file_response(content, self.objects, "GET", dict(request.headers))

    async def _put(self, request: Request) -> Response:
        await self._lease(request)
        key = file_key(request)
        media_type = request.headers.get("content-type", "")
        with tempfile.TemporaryFile() as spooled:
            async for chunk in limited(request, MOST_OF_A_FILE):
                await asyncio.to_thread(spooled.write, chunk)
            spooled.seek(0)
            await self._lease(request)  # it took its time
            known = media_type if media_type in EXTENSIONS else ""
            await self.objects.put(key, cast("BinaryIO", spooled), known)
        return Response(status_code=204)

    async def _delete(self, request: Request) -> Response:
        """Remove one file of an attempt, or all; never a result that was accepted."""
        key = key_of(request)
        task = await self.store.task_of_id(request.path_params["task"])
        kept = {name for item in task.artifacts for name in (item.key, item.thumbnail_key)} if task else set()
        if any(name and (name == key or name.startswith(key)) for name in kept):
            raise TaskError(Code.CONFLICT, "These are the results of a task that has succeeded.")
        if key.endswith("/"):
            await self.objects.delete_below(key)
        else:
            await self.objects.delete(key)
        return Response(status_code=204)


class Protocol(msgspec.Struct):
    """The part of a `Hello` that every version has."""

    protocol: int


def key_of(request: Request) -> str:
    """The key of object storage that a path names; all of the attempt's, if it names no file."""
    values = request.path_params
    key = f"tasks/{values['task']}/{values['attempt']}/{values['name']}"
    if not KEY.fullmatch(key.removesuffix("/")):
        raise unfit_name()
    return key


def bare(task: Task) -> Task:
    """A task as a worker has to know it: nobody's webhooks, notes and keys."""
    return replace(task, metadata={}, callbacks=None, key_id=None)


def file_key(request: Request) -> str:
    """The same, of one file."""
    key = key_of(request)
    if key.endswith("/"):
        raise unfit_name()
    return key


def unfit_name() -> TaskError:
    """What is wrong with a path that names no file of an attempt."""
    return TaskError(Code.INVALID_INPUT, "A result's name has letters, digits, dots and dashes.")


async def whole(request: Request) -> bytes:
    """A message's bytes."""
    return b"".join([chunk async for chunk in limited(request, MOST)])


def heard(body: bytes, kind: type[T]) -> T:
    """A message of a kind."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TaskError(Code.INVALID_INPUT, f"This is no message of a worker: {error}.") from None


def said(message: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A message as an answer."""
    return Response(
        msgspec.json.encode(message), status, {"Cache-Control": "no-store", **(headers or {})}, "application/json"
    )
