"""Requests at the level of bytes: what a repeated poll may skip, and what it may not, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from darkroom.app import running
from darkroom.config import Settings
from darkroom.metrics import POLLS
from darkroom.serve import HttpServer, http_config, listening
from darkroom.web.status import LONGEST, StatusPath

POLL = b"GET /api/tasks/%b HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %b\r\n\r\n"


class Wire:
    """A server without workers, a key and one waiting task."""

    def __init__(self, port: int, key: str, status: StatusPath, http: HttpServer) -> None:
        self.port = port
        self.status = status
        self.http = http
        self.key = key.encode()
        self.task = b""

    async def talk(self, *parts: bytes, answers: int) -> list[bytes]:
        """Send parts over one connection, with a pause after each, and read so many whole answers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        found = []
        try:
            async with asyncio.timeout(60):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.02)
                for _ in range(answers):
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = next(
                        int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: ")
                    )
                    found.append(head + await reader.readexactly(length))
        finally:
            writer.close()
            await writer.wait_closed()
        return found

    def poll(self) -> bytes:
        return POLL % (self.task, self.key)


@asynccontextmanager
async def serving(data: Path, url: str) -> AsyncIterator[Wire]:
    listener = listening("127.0.0.1", 0)
    async with running(Settings(data=str(data), database=url, workers=0, engines=("fake",))) as server:
        http = HttpServer(http_config(server))
        runs = asyncio.create_task(http.serve(sockets=[listener]))
        await http.ready.wait()
        wire = Wire(listener.getsockname()[1], server.first_key or "", server.application.status, http)
        body = b'{"operation": "image.generate"}'
        head = b"POST /api/tasks HTTP/1.1\r\nhost: a\r\nauthorization: %b\r\ncontent-length: %d\r\n\r\n"
        (made,) = await wire.talk(head % (wire.key, len(body)) + body, answers=1)
        wire.task = made.partition(b'"id":"')[2].partition(b'"')[0]
        yield wire
        http.should_exit = True
        await runs


@pytest.fixture
async def wire(tmp_path: Path, database_url: str) -> AsyncIterator[Wire]:
    async with serving(tmp_path, database_url) as wire:
        yield wire


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


async def test_the_same_bytes_get_the_same_answer(wire: Wire) -> None:
    answers = await wire.talk(wire.poll(), wire.poll(), wire.poll(), answers=3)
    assert all(answer.startswith(b"HTTP/1.1 200 OK\r\n") for answer in answers)
    assert len({body_of(answer) for answer in answers}) == 1
    assert all(b"\r\ndate: " in answer for answer in answers)


async def test_polls_that_arrive_together_are_all_answered(wire: Wire) -> None:
    answers = await wire.talk(wire.poll() * 3, wire.poll(), wire.poll() * 2, answers=6)
    assert {body_of(answer) for answer in answers} == {body_of(answers[0])}


async def test_a_poll_that_arrives_in_pieces_is_answered(wire: Wire) -> None:
    poll = wire.poll()
    answers = await wire.talk(poll, poll, poll[:20], poll[20:], poll, answers=4)
    assert {body_of(answer) for answer in answers} == {body_of(answers[0])}


async def test_bytes_of_a_poll_inside_a_body_are_no_poll(wire: Wire) -> None:
    poll = wire.poll()
    head = b"POST /api/tasks HTTP/1.1\r\nhost: a\r\nauthorization: %b\r\ncontent-length: %d\r\n\r\n"
    answers = await wire.talk(poll, poll, head % (wire.key, len(poll)), poll, answers=3)
    assert [answer[9:12] for answer in answers] == [b"200", b"200", b"400"]


async def test_a_task_that_changed_is_answered_anew(wire: Wire) -> None:
    cancel = b"POST /api/tasks/%b/cancel HTTP/1.1\r\nhost: a\r\nauthorization: %b\r\ncontent-length: 0\r\n\r\n"
    answers = await wire.talk(wire.poll(), wire.poll(), cancel % (wire.task, wire.key), wire.poll(), answers=4)
    assert b'"state":"queued"' in answers[1]
    assert b'"state":"canceled"' in answers[3]


async def test_another_key_is_never_given_a_remembered_answer(wire: Wire) -> None:
    other = wire.poll().replace(b"sk-", b"sk-x")
    answers = await wire.talk(wire.poll(), wire.poll(), other, other, wire.poll(), answers=5)
    assert [answer[9:12] for answer in answers] == [b"200", b"200", b"401", b"401", b"200"]


async def test_a_head_without_end_is_refused(wire: Wire) -> None:
    head = b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: %b\r\n" % (i, b"a" * 1000) for i in range(100))
    (answer,) = await wire.talk(head, answers=1)
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of a poll lasts, however slow the machine."""
    monkeypatch.setattr("darkroom.web.status.UNFINISHED_FOR", 60.0)
    monkeypatch.setattr("darkroom.keys.FRESH", 60.0)


@pytest.mark.usefixtures("lasting")
async def test_long_requests_are_answered_and_not_remembered(wire: Wire) -> None:
    padded = wire.poll().replace(b"\r\n\r\n", b"\r\nx-padding: " + b"a" * LONGEST + b"\r\n\r\n")
    queried = wire.poll().replace(b" HTTP/1.1", b"?x=" + b"a" * LONGEST + b" HTTP/1.1")
    answers = await wire.talk(padded, padded, queried, queried, answers=4)
    assert {answer[9:12] for answer in answers} == {b"200"}
    assert wire.status.same_bytes(padded) is None
    assert wire.status.same_bytes(queried) is None
    await wire.talk(wire.poll(), wire.poll(), answers=2)
    assert wire.status.same_bytes(wire.poll()) is not None


# ---- on PostgreSQL, where a look takes time


LOOKING = """
SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND query LIKE '%WHERE public_id%'
"""  # and not those that the janitor asks


class Locked:
    """A server on PostgreSQL of which a poll was asked twice, and a table that it cannot read now."""

    def __init__(self, wire: Wire, connection: asyncpg.Connection) -> None:
        self.wire = wire
        self.connection = connection

    async def waiting(self) -> list[int]:
        """The processes of the database that look for a poll and wait for the table, as soon as there are any."""
        async with asyncio.timeout(60):
            while not (rows := await self.connection.fetch(LOOKING)):
                await asyncio.sleep(0.01)
            return [row["pid"] for row in rows]

    async def unlock(self) -> None:
        """Let everybody read."""
        await self.connection.execute("COMMIT")


@pytest.fixture
async def locked(tmp_path: Path, postgres: Any, lasting: None) -> AsyncIterator[Locked]:
    async with postgres.database() as url, serving(tmp_path, url) as wire:
        connection = await asyncpg.connect(url)
        try:
            await wire.talk(wire.poll(), wire.poll(), answers=2)
            await connection.execute("BEGIN; LOCK TABLE task")
            yield Locked(wire, connection)
        finally:
            await connection.close()


async def test_a_poll_of_a_waiting_task_is_answered_unparsed_after_a_look(locked: Locked) -> None:
    before = POLLS["bytes"].total
    asking = asyncio.create_task(locked.wire.talk(locked.wire.poll(), answers=1))
    await locked.waiting()
    assert not asking.done()
    await locked.unlock()
    (answer,) = await asking
    assert b'"state":"queued"' in answer
    assert POLLS["bytes"].total > before


async def test_what_comes_behind_a_poll_that_waits_is_answered_in_its_turn(locked: Locked) -> None:
    models = b"GET /api/models HTTP/1.1\r\nhost: a\r\n\r\n"
    asking = asyncio.create_task(locked.wire.talk(locked.wire.poll(), models, models, locked.wire.poll(), answers=4))
    await locked.waiting()
    await asyncio.sleep(0.1)  # so that all was sent
    await locked.unlock()
    answers = [body_of(answer) for answer in await asking]
    assert [b'"state":"queued"' in answer for answer in answers] == [True, False, False, True]


async def test_a_task_that_changes_during_a_look_is_answered_anew(locked: Locked) -> None:
    asking = asyncio.create_task(locked.wire.talk(locked.wire.poll(), answers=1))
    await locked.waiting()
    await locked.connection.execute('UPDATE task SET metadata = \'{"seen":"anew"}\', version = version + 1')
    await locked.unlock()
    (answer,) = await asking
    assert b'"seen":"anew"' in answer


async def test_who_goes_during_a_look_disturbs_nobody(locked: Locked) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", locked.wire.port)
    writer.write(locked.wire.poll())
    await locked.waiting()
    writer.transport.abort()
    await locked.unlock()
    (answer,) = await locked.wire.talk(locked.wire.poll(), answers=1)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_look_that_fails_is_made_again(locked: Locked) -> None:
    asking = asyncio.create_task(locked.wire.talk(locked.wire.poll(), answers=1))
    for process in await locked.waiting():
        await locked.connection.execute("SELECT pg_terminate_backend($1)", process)
    await locked.unlock()
    (answer,) = await asking
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_server_that_stops_answers_who_waits_for_a_look(locked: Locked) -> None:
    asking = asyncio.create_task(locked.wire.talk(locked.wire.poll(), answers=1))
    await locked.waiting()
    locked.wire.http.should_exit = True
    await asyncio.sleep(0.3)  # it looks ten times a second whether it should
    assert not asking.done()
    await locked.unlock()
    (answer,) = await asking
    assert b'"state":"queued"' in answer
