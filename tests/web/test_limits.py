"""Clients that want to hold a connection or memory, or to be read in two ways, over real sockets."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from darkroom import serve
from darkroom.app import running
from darkroom.config import Settings
from darkroom.metrics import POLLS, REGISTRY
from darkroom.serve import HttpServer, http_config, listening
from darkroom.web import protocol
from darkroom.web.envelope import SAFE

BODY = b'{"operation": "image.generate"}'


@dataclass
class Wire:
    """A server without workers."""

    port: int
    key: bytes
    http: HttpServer

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(60):
                yield reader, writer
        finally:
            writer.close()

    async def said(self, request: bytes) -> bytes:
        """Everything that the server says to these bytes until it hangs up."""
        async with self.connected() as (reader, writer):
            writer.write(request)
            return await gone(reader)

    def head(self, *lines: bytes, method: bytes = b"POST", path: bytes = b"/api/tasks") -> bytes:
        start = b"%b %b HTTP/1.1" % (method, path)
        return b"\r\n".join((start, b"Host: a", b"Authorization: " + self.key, *lines, b"", b""))


async def gone(reader: asyncio.StreamReader) -> bytes:
    """What still comes until the server hangs up."""
    found = b""
    try:
        while piece := await reader.read(65536):
            found += piece
    except ConnectionError:
        pass
    return found


def statuses(answers: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def refused(limit: str) -> float:
    return REGISTRY.get_sample_value("darkroom_connections_refused_total", {"limit": limit}) or 0


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at connections ten times as often as in earnest."""
    monkeypatch.setattr(serve, "SWEEP", 1)


@asynccontextmanager
async def serving(folder: Path, connections: int = 100) -> AsyncIterator[Wire]:
    listener = listening("127.0.0.1", 0)
    async with running(Settings(data=str(folder), workers=0, engines=("fake",))) as server:
        http = HttpServer(http_config(server, connections))
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        await http.ready.wait()
        yield Wire(listener.getsockname()[1], (server.first_key or "").encode(), http)
        http.should_exit = True
        await serving


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with serving(tmp_path) as wire:
        yield wire


async def drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Send a piece now and then, for ever."""
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.1)


SLOW: dict[str, tuple[str, Callable[[Wire], bytes], bytes]] = {
    "nothing at all": ("slow head", lambda _: b"", b""),
    "empty lines": ("slow head", lambda _: b"", b"\r\n"),
    "a first line": ("slow head", lambda _: b"GET /api/", b"a"),
    "headers": ("slow head", lambda _: b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"y"),
    "a body": ("body", lambda wire: wire.head(b"Content-Length: 100000"), b" "),
    "a chunked body": ("body", lambda wire: wire.head(b"Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    "the extension of a chunk": ("body", lambda wire: wire.head(b"Transfer-Encoding: chunked") + b"1;", b"x"),
    "no body": ("body", lambda wire: wire.head(b"Content-Length: 10"), b""),
}


@pytest.mark.parametrize(("limit", "begin", "piece"), SLOW.values(), ids=SLOW)
async def test_a_client_that_drips_is_cut_off(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, limit: str, begin: Callable[[Wire], bytes], piece: bytes
) -> None:
    monkeypatch.setattr(protocol, {"slow head": "HEAD_SECONDS", "body": "BODY_SECONDS"}[limit], 0.3)
    before = refused(limit)
    async with wire.connected() as (reader, writer):
        writer.write(begin(wire))
        dripping = asyncio.create_task(drip(writer, piece))
        answer = await gone(reader)
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
    assert statuses(answer) in ([408], [])
    assert refused(limit) == before + 1


async def test_a_connection_that_is_kept_can_be_slow_only_once(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire.connected() as (reader, writer):
        writer.write(wire.head(method=b"GET"))
        await reader.readuntil(b"\r\n\r\n")
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
        dripping = asyncio.create_task(drip(writer, b"\r\n"))
        await gone(reader)
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_a_request_that_comes_slowly_but_surely_is_answered(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_SECONDS", 1.0)
    padded = BODY + b" " * 3000
    for _ in range(20):
        longest = 0.0
        async with wire.connected() as (reader, writer):
            writer.write(wire.head(b"Content-Length: %d" % len(padded), b"Connection: close"))
            for start in range(0, len(padded), 300):
                began = time.monotonic()
                writer.write(padded[start : start + 300])
                await asyncio.sleep(0.2)
                longest = max(longest, time.monotonic() - began)
            answer = await gone(reader)
        if longest < 0.6:  # otherwise it was the machine that stood still
            break
    assert statuses(answer) == [201]


async def test_a_waiting_poll_is_no_slow_request(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire.connected() as (reader, writer):
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
        monkeypatch.setattr(protocol, "BODY_SECONDS", 0.3)
        writer.write(wire.head(b"Content-Length: %d" % len(BODY), path=b"/api/tasks?wait=1") + BODY)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201 ")


ENDLESS = {
    "first line": b"GET /",
    "name": b"GET / HTTP/1.1\r\nX",
    "value": b"GET / HTTP/1.1\r\nX: ",
}


@pytest.mark.parametrize("begin", ENDLESS.values(), ids=ENDLESS)
async def test_an_endless_line_is_refused_before_it_fills_the_memory(wire: Wire, begin: bytes) -> None:
    async with wire.connected() as (reader, writer):
        writer.write(begin)
        sent = 0
        try:
            while not reader.at_eof() and sent < 50_000_000:
                writer.write(b"a" * 65536)
                await writer.drain()
                sent += 65536
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        await gone(reader)
    assert sent < 10_000_000  # buffers of the system hold some of it


async def test_ten_thousand_headers_are_refused(wire: Wire) -> None:
    answer = await wire.said(wire.head(*(b"x%d: y" % n for n in range(10_000)), method=b"GET"))
    assert statuses(answer) == [400]


async def test_headers_behind_a_body_are_not_believed(wire: Wire) -> None:
    start = b"POST /api/tasks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunk = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
    answer = await wire.said(start + chunk + b"Authorization: " + wire.key + b"\r\n\r\n")
    assert statuses(answer) == [401]


def smuggled(wire: Wire) -> dict[str, bytes]:
    inner = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    chunked, length = b"Transfer-Encoding: chunked", b"Content-Length: %d"
    return {
        "length, then chunked": wire.head(length % 4, chunked) + b"0\r\n\r\n" + inner,
        "chunked, then length": wire.head(chunked, length % 4) + b"0\r\n\r\n" + inner,
        "two lengths": wire.head(length % 0, length % len(inner)) + inner,
        "a list of lengths": wire.head(b"Content-Length: 0, 5") + inner,
        "a length with a sign": wire.head(b"Content-Length: +5") + b"hello" + inner,
        "a negative length": wire.head(b"Content-Length: -1") + inner,
        "a length in hex": wire.head(b"Content-Length: 0x5") + b"hello" + inner,
        "a huge length": wire.head(b"Content-Length: 99999999999999999999999") + inner,
        "chunked is not the last": wire.head(b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n" + inner,
        "a space before the colon": wire.head(b"Content-Length : 5") + b"hello" + inner,
        "a folded header": wire.head(b"X: y\r\n Content-Length: 5") + b"hello" + inner,
        "a bare CR": wire.head(b"X: y\rContent-Length: 5") + b"hello" + inner,
        "NUL in a header": wire.head(b"X: a\x00b") + inner,
        "a chunk with a sign": wire.head(chunked) + b"+5\r\nhello\r\n0\r\n\r\n" + inner,
        "a chunk of 2**64": wire.head(chunked) + b"10000000000000005\r\nhello\r\n0\r\n\r\n" + inner,
        "a chunk longer than it says": wire.head(chunked) + b"2\r\nhello\r\n0\r\n\r\n" + inner,
        "no method": b"\x16\x03\x01\x02\x00\x01\x00" + bytes(100) + inner,
        "another version": b"GET / HTTP/3.7\r\n\r\n" + inner,
    }


@pytest.mark.parametrize("case", smuggled(Wire(0, b"", None)))  # type: ignore[arg-type]
async def test_a_request_that_could_be_read_in_two_ways_ends_the_connection(wire: Wire, case: str) -> None:
    before = refused("malformed")
    answer = await wire.said(smuggled(wire)[case])
    assert statuses(answer)[-1] == 400
    assert b"smuggled" not in answer
    assert refused("malformed") == before + 1


async def test_what_follows_the_last_request_is_not_answered(wire: Wire) -> None:
    answer = await wire.said(
        wire.head(b"Connection: close", method=b"GET") + wire.head(method=b"GET", path=b"/smuggled")
    )
    assert statuses(answer) == [200]


async def test_requests_in_one_piece_are_answered_in_order(wire: Wire) -> None:
    paths = [b"/api/tasks/%d" % n for n in range(20)]
    last = wire.head(b"Connection: close", method=b"GET", path=b"/api/account")
    answer = await wire.said(b"".join(wire.head(method=b"GET", path=path) for path in paths) + last)
    assert statuses(answer) == [404] * 20 + [200]


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        (b"HEAD", b"/api/models", 200),
        (b"OPTIONS", b"/api/tasks", 204),
        (b"OPTIONS", b"*", 204),
        (b"TRACE", b"/api/tasks", 405),
        (b"PROPFIND", b"/api/tasks", 405),
        (b"CONNECT", b"example.com:443", 400),
        (b"GET", b"http://example.com/api/models", 200),
    ],
)
async def test_unusual_methods_and_targets_are_answered(wire: Wire, method: bytes, target: bytes, status: int) -> None:
    answer = await wire.said(wire.head(b"Connection: close", method=method, path=target))
    assert statuses(answer) == [status]
    if method == b"HEAD":
        assert answer.endswith(b"\r\n\r\n")
    assert b"Authorization" not in answer.partition(b"\r\n\r\n")[2]  # a TRACE would send the key back


EVERYWHERE = ["/api/models", "/api/tasks/x", "/nowhere", "/api/docs", "/api/openapi.json", "/metrics", "/healthz"]


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "TRACE"])
async def test_every_answer_says_what_browsers_must_not_do(wire: Wire, method: str) -> None:
    for path in EVERYWHERE:
        answer = await wire.said(wire.head(b"Connection: close", method=method.encode(), path=path.encode()))
        head = answer.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:])
        assert len(head) - 1 == len(headers)  # each once
        assert {name.lower() for name in SAFE} <= set(headers)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "deny"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"


async def test_even_the_refusal_of_what_is_no_http_says_so(wire: Wire) -> None:
    answer = await wire.said(b"\x16\x03\x01\r\n\r\n")
    assert all(f"{name.lower()}: {value}".encode() in answer for name, value in SAFE.items())


async def test_remembered_polls_say_so_too(wire: Wire) -> None:
    made = await wire.said(wire.head(b"Content-Length: %d" % len(BODY), b"Connection: close") + BODY)
    poll = wire.head(method=b"GET", path=b"/api/tasks/" + made.partition(b'"id":"')[2].partition(b'"')[0])
    async with wire.connected() as (reader, writer):
        for _ in range(3):
            writer.write(poll)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
            assert all(f"{name}: {value}".lower().encode() in head for name, value in SAFE.items())


async def test_more_connections_than_allowed_are_refused_and_the_others_live(tmp_path: Path) -> None:
    async with serving(tmp_path, connections=3) as wire:
        opened = [await asyncio.open_connection("127.0.0.1", wire.port) for _ in range(3)]
        for reader, writer in opened:
            writer.write(wire.head(method=b"GET"))
            await reader.readuntil(b"\r\n\r\n")
        before = refused("connections")
        async with wire.connected() as (reader, _):
            assert statuses(await gone(reader)) == [503]
        assert refused("connections") == before + 1
        opened[0][0].feed_eof()
        opened[0][1].close()
        await opened[0][1].wait_closed()
        while len(wire.http.server_state.connections) > 2:
            await asyncio.sleep(0.01)
        assert statuses(await wire.said(wire.head(b"Connection: close", method=b"GET"))) == [200]
        for _, writer in opened[1:]:
            writer.close()


async def test_a_client_that_takes_no_answers_fills_no_memory(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "UNREAD_SECONDS", 0.5)
    large = BODY.replace(b"}", b', "metadata": {"note": "%b"}}' % (b"x" * 200_000))
    made = await wire.said(wire.head(b"Content-Length: %d" % len(large), b"Connection: close") + large)
    poll = wire.head(method=b"GET", path=b"/api/tasks/" + made.partition(b'"id":"')[2].partition(b'"')[0])
    before, known = refused("unread"), POLLS["bytes"].counts
    with socket.create_connection(("127.0.0.1", wire.port)) as client:
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await loop.sock_sendall(client, poll)
            await asyncio.sleep(0.05)
        assert sum(known) > 0  # the short way is the one that is tried
        largest = 0
        async with asyncio.timeout(60):
            while refused("unread") == before:
                with suppress(OSError):
                    client.send(poll)
                for connection in wire.http.server_state.connections:
                    largest = max(largest, connection.transport.get_write_buffer_size())
                await asyncio.sleep(0.002)
    assert 0 < largest < 1_000_000
