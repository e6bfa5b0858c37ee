"""What receivers do to connections: each of it is an answer or a failed try, and no bug of ours."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
import uvloop
from receivers import Receiver, cut, receiving

from darkroom.connection import LONGEST, Connection, SilentError
from darkroom.core.webhooks import Kind, Outcome
from darkroom.reach import Reach
from darkroom.sending import Sender

BROKEN = "The receiver broke off the connection, or does not speak HTTP."
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

on_both_loops = pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = Sender(Reach(["127.0.0.0/8"]), timeout=30.0)
    yield sender
    await sender.close()


async def post(sender: Sender, receiver: Receiver, body: bytes = b"{}") -> Outcome:
    return await sender.post("lane", receiver.url(), [("webhook-id", "msg_1")], body)


def saying(answer: bytes):
    """Answer so, and hang up."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        raise ConnectionError

    return say


async def test_one_connection_serves_many_requests_one_after_the_other(sender: Sender, receiver: Receiver) -> None:
    assert [(await post(sender, receiver)).kind for _ in range(5)] == [Kind.SENT] * 5
    assert receiver.connections == 1


async def test_requests_at_the_same_time_have_a_connection_each(sender: Sender, receiver: Receiver) -> None:
    outcomes = await asyncio.gather(*(post(sender, receiver) for _ in range(5)))
    assert {outcome.kind for outcome in outcomes} == {Kind.SENT}
    assert receiver.connections == 5


async def test_lanes_do_not_share_connections(sender: Sender, receiver: Receiver) -> None:
    for lane in ("one", "another"):
        await sender.post(lane, receiver.url(), (), b"{}")
    assert receiver.connections == 2


async def test_of_many_that_begin_at_once_none_fails(sender: Sender, receiver: Receiver) -> None:
    outcomes = await asyncio.gather(*(sender.post(f"{lane}", receiver.url(), (), b"{}") for lane in range(200)))
    assert {outcome.kind for outcome in outcomes} == {Kind.SENT}


async def test_a_large_body_arrives_whole(sender: Sender, receiver: Receiver) -> None:
    body = bytes(1 << 20)
    assert (await post(sender, receiver, body)).kind is Kind.SENT
    assert receiver.got[0].body == body


@on_both_loops
def test_a_connection_that_is_reset_as_soon_as_it_is_made_is_a_failed_try(loop_factory: Loop) -> None:
    def reset() -> None:
        accepted, _ = listening.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()

    async def tried() -> Outcome:
        resetting = asyncio.create_task(asyncio.to_thread(reset))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
        outcome = await Sender(Reach(["127.0.0.0/8"])).post("lane", url, (), b"{}")
        await resetting
        return outcome

    with socket.create_server(("127.0.0.1", 0)) as listening, asyncio.Runner(loop_factory=loop_factory) as runner:
        outcome = runner.run(tried())
    assert (outcome.kind, outcome.alive) == (Kind.FAILED, False)


async def test_a_receiver_that_hangs_up_without_a_word_is_a_failed_try(sender: Sender, receiver: Receiver) -> None:
    receiver.answers.append(saying(b""))
    outcome = await post(sender, receiver)
    assert (outcome.kind, outcome.error, outcome.alive) == (Kind.FAILED, BROKEN, False)
    assert receiver.connections == 1


async def test_where_a_connection_was_closed_while_nobody_used_it_a_new_one_is_made(
    sender: Sender, receiver: Receiver
) -> None:
    receiver.answers += [204, saying(b""), 204]
    assert [(await post(sender, receiver)).kind for _ in range(2)] == [Kind.SENT] * 2
    assert receiver.connections == 2
    assert {got.id for got in receiver.got} == {"msg_1"}


async def test_a_connection_is_not_made_anew_within_an_answer(sender: Sender, receiver: Receiver) -> None:
    receiver.answers += [204, cut]
    assert [(await post(sender, receiver)).kind for _ in range(2)] == [Kind.SENT, Kind.FAILED]
    assert len(receiver.got) == 2


@on_both_loops
@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + EMPTY, Kind.SENT, 200),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Kind.SENT, 200),
        (b"HTTP/1.0 204 No Content\r\n\r\n", Kind.SENT, 204),
        (b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n2\r\noh\r\n0\r\n\r\n", Kind.FAILED, 500),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2 * LONGEST), Kind.SENT, 200),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 9999999\r\n\r\n" + bytes(2 * LONGEST), Kind.GONE, 410),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nx", Kind.FAILED, 101),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive", Kind.FAILED, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive", Kind.FAILED, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive", Kind.FAILED, None),
        (b"HTTP/1.1 100 Continue\r\n\r\n", Kind.FAILED, None),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2 * LONGEST, Kind.FAILED, None),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * LONGEST, Kind.FAILED, None),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Kind.FAILED, None),
        (b"\r\n", Kind.FAILED, None),
    ],
    ids=[
        *("interim ones", "until the end", "of the past", "in chunks", "without an end", "longer than is read"),
        *("another protocol", "too short", "short of a chunk", "no chunk", "interim", "a head without an end"),
        *("interim for ever", "no HTTP", "nothing"),
    ],
)
def test_what_an_answer_means(loop_factory: Loop, answer: bytes, kind: Kind, status: int | None) -> None:
    async def tried() -> tuple[Outcome, Outcome]:
        sender = Sender(Reach(["127.0.0.0/8"]))
        async with receiving() as receiver:
            receiver.answers.append(saying(answer))
            outcomes = await post(sender, receiver), await post(sender, receiver)
            await sender.close()
        return outcomes

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        outcome, next_one = runner.run(tried())
    assert (outcome.kind, outcome.http_status) == (kind, status)
    assert (outcome.error == BROKEN) is (status is None)
    assert next_one.http_status == 204


@pytest.mark.parametrize("more", [EMPTY, b"x", b"HTTP/1.1"])
async def test_what_nobody_asked_for_answers_no_later_request(sender: Sender, receiver: Receiver, more: bytes) -> None:
    receiver.answers.append(b"HTTP/1.1 204 No Content\r\n\r\n" + more)
    assert [(await post(sender, receiver)).http_status for _ in range(3)] == [204] * 3
    assert receiver.connections == 2


@pytest.mark.parametrize("more", [EMPTY, b"x"])
async def test_what_comes_later_without_being_asked_for_answers_no_request(
    sender: Sender, receiver: Receiver, more: bytes
) -> None:
    async def later(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        await told.wait()
        writer.write(more)
        await writer.drain()

    told = asyncio.Event()
    receiver.answers.append(later)
    assert (await post(sender, receiver)).http_status == 204
    told.set()
    ended = sender._idle["lane"][-1][1]
    async with asyncio.timeout(30):
        while ended.usable:
            await asyncio.sleep(0.01)
    assert (await post(sender, receiver)).http_status == 204
    assert receiver.connections == 2


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"", "The receiver did not answer within 0.2 seconds."),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "The receiver did not answer within 0.2 seconds."),
        (b"HTTP/1.1 200 OK\r\n\r\n", "The receiver did not answer within 0.2 seconds."),
        (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", None),
        (b"HTTP/1.0 204 No Content\r\n\r\n", None),
    ],
    ids=["silence", "an interim answer", "no end", "the last answer", "an old version"],
)
async def test_a_connection_that_is_of_no_use_any_more_is_ended(answer: bytes, outcome: str | None) -> None:
    hung_up = asyncio.Event()

    async def read_to_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(answer)
            await reader.read()
        hung_up.set()
        writer.close()

    async with await asyncio.start_server(read_to_the_end, "127.0.0.1", 0) as server, asyncio.timeout(30):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        sender = Sender(Reach(["127.0.0.0/8"]), timeout=0.2 if outcome else 20.0)
        tried = await sender.post("lane", url, (), b"{}")
        await hung_up.wait()
    assert tried.error == outcome


@on_both_loops
def test_a_connection_that_ended_before_it_was_used_says_so_at_once(loop_factory: Loop) -> None:
    async def tried() -> None:
        loop = asyncio.get_running_loop()
        async with receiving() as receiver, asyncio.timeout(30):
            transport, connection = await loop.create_connection(Connection, "127.0.0.1", receiver.port)
            while not receiver._writers:
                await asyncio.sleep(0.01)
            await receiver.close()
            while not transport.is_closing():
                await asyncio.sleep(0.01)
            with pytest.raises(SilentError):
                await connection.ask(b"POST / HTTP/1.1\r\n\r\n")

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(tried())


async def test_nothing_is_left_open(receiver: Receiver) -> None:
    sender = Sender(Reach(["127.0.0.0/8"]))
    await asyncio.gather(*(post(sender, receiver) for _ in range(5)))
    await sender.close()
    async with asyncio.timeout(30):
        while receiver._writers:
            await asyncio.sleep(0.01)
