"""Stored files over HTTP: whole and in ranges, cached, and safe to open in a browser."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from darkroom.core.commands import Content
from darkroom.core.errors import Code, TaskError
from darkroom.objects import Objects
from darkroom.web.files import file_response

FILM = bytes(range(256)) * 4
SIZE = len(FILM)
CONTENT = Content("task/1/0", "video/mp4", SIZE, '"abc123"')


@pytest.fixture
async def objects(tmp_path: Path) -> Objects:
    objects = Objects.open(str(tmp_path))
    await objects.put("task/1/0", FILM)
    await objects.put("task/1/1", b"")
    return objects


def application(objects: Objects, content: Content, name: str = "file") -> Starlette:
    async def answer(request: Request) -> Response:
        return await file_response(replace(content, name=name), objects, request.method, request.headers)

    return Starlette(routes=[Route("/", answer, methods=["GET", "HEAD"])])


@pytest.fixture
async def client(objects: Objects) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(application(objects, CONTENT, "task 7/0")) as client:
        yield client


def browser(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://darkroom")


async def test_a_whole_file_is_answered_with_all_its_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert answer.content == FILM
    assert dict(answer.headers) == {
        "content-type": "video/mp4",
        "content-length": str(SIZE),
        "content-disposition": 'inline; filename="task_7_0.mp4"',
        "accept-ranges": "bytes",
        "etag": '"abc123"',
        "cache-control": "private, max-age=1800",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    }


async def test_head_tells_what_get_would(client: httpx.AsyncClient) -> None:
    head, get = await client.head("/"), await client.get("/")
    assert (head.status_code, head.content, head.headers) == (200, b"", get.headers)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-1", 0, 2),
        ("bytes=0-", 0, SIZE),
        ("bytes=100-199", 100, 200),
        ("bytes=1000-", 1000, SIZE),
        (f"bytes=1000-{10**15}", 1000, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
        ("Bytes=5-9", 5, 10),
    ],
)
async def test_a_range_is_answered_with_its_bytes(client: httpx.AsyncClient, asked: str, start: int, end: int) -> None:
    answer = await client.get("/", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == FILM[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0"])
async def test_a_range_outside_the_file_cannot_be_satisfied(client: httpx.AsyncClient, asked: str) -> None:
    answer = await client.get("/", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,5-6", "bytes=-", "bytes=9-5", "bytes=a-b", "bytes", "items=0-1", "bytes=--1", f"bytes={'9' * 5000}-"],
)
async def test_several_ranges_and_malformed_ones_get_the_whole_file(client: httpx.AsyncClient, asked: str) -> None:
    answer = await client.get("/", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, FILM)
    assert "content-range" not in answer.headers


async def test_head_ignores_ranges(client: httpx.AsyncClient) -> None:
    answer = await client.head("/", headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(SIZE))


@pytest.mark.parametrize("tags", ['"abc123"', 'W/"abc123"', '"old", "abc123"', "*"])
async def test_a_client_that_has_the_file_is_told_so(client: httpx.AsyncClient, tags: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await client.request(method, "/", headers={"If-None-Match": tags, "Range": "bytes=0-1"})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == '"abc123"'
        assert "content-length" not in answer.headers


@pytest.mark.parametrize("tags", ['"old"', "abc123", '"abc1234"', ""])
async def test_a_client_that_has_another_file_gets_this_one(client: httpx.AsyncClient, tags: str) -> None:
    assert (await client.get("/", headers={"If-None-Match": tags})).content == FILM


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"abc123"', 206), ('"old"', 200), ('W/"abc123"', 200), ("Wed, 21 Oct 2026 07:28:00 GMT", 200)],
)
async def test_a_range_of_an_older_file_gets_the_whole_new_one(
    client: httpx.AsyncClient, condition: str, status: int
) -> None:
    answer = await client.get("/", headers={"Range": "bytes=0-1", "If-Range": condition})
    assert answer.status_code == status
    assert answer.content == (FILM[:2] if status == 206 else FILM)


async def test_a_bare_tag_is_quoted(objects: Objects) -> None:
    async with browser(application(objects, Content("task/1/0", "image/png", SIZE, "abc"))) as client:
        answer = await client.get("/")
    assert answer.headers["etag"] == '"abc"'
    assert answer.headers["content-disposition"] == 'inline; filename="file.png"'


async def test_an_empty_file_is_answered_empty(objects: Objects) -> None:
    async with browser(application(objects, Content("task/1/1", "image/png", 0, '"e"'))) as client:
        whole = await client.get("/")
        part = await client.get("/", headers={"Range": "bytes=0-"})
    assert (whole.status_code, whole.content, whole.headers["content-length"]) == (200, b"", "0")
    assert (part.status_code, part.headers["content-range"]) == (416, "bytes */0")


async def test_a_name_cannot_break_out_of_its_header(objects: Objects) -> None:
    async with browser(application(objects, CONTENT, 'a"; x=\r\nSet-Cookie: b=ü')) as client:
        answer = await client.get("/")
    assert answer.headers["content-disposition"] == 'inline; filename="a_x_Set-Cookie_b_.mp4"'
    assert "set-cookie" not in answer.headers


async def test_a_file_that_is_gone_is_not_found_before_anything_is_sent(objects: Objects) -> None:
    await objects.delete("task/1/0")
    with pytest.raises(TaskError) as caught:
        await file_response(CONTENT, objects, "GET", {})
    assert caught.value.code is Code.NOT_FOUND


class Watched(Objects):
    """A real store that tells when a stream which it gave out was closed."""

    closed: asyncio.Event

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        self.closed = asyncio.Event()
        return self._watch(await super().get(key, start, end))

    async def _watch(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in stream:
                yield chunk
        finally:
            self.closed.set()


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
async def test_the_stream_is_closed_when_the_client_hangs_up(tmp_path: Path, spec_version: str) -> None:
    objects = Watched.open(str(tmp_path))
    await objects.put("task/1/0", bytes(20_000_000))
    content = Content("task/1/0", "video/mp4", 20_000_000, '"abc"')
    response = await file_response(content, objects, "GET", {})
    hung_up = asyncio.Event()
    sent = 0

    async def send(message: dict) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        if sent:
            hung_up.set()
            if spec_version == "2.4":
                raise OSError("the client is gone")
            await asyncio.Event().wait()  # a socket whose other end takes nothing any more

    async def receive() -> dict:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "asgi": {"spec_version": spec_version}}
    serving = asyncio.gather(response(scope, receive, send), return_exceptions=True)
    await asyncio.wait_for(serving, 10)
    assert objects.closed.is_set()
    assert sent < 1_000_000


async def test_a_large_file_never_lies_in_memory_as_a_whole(tmp_path: Path) -> None:
    objects = Objects.open(str(tmp_path))
    source = tmp_path / "film"
    with source.open("wb") as file:
        file.truncate(48_000_000)
    await objects.put("task/1/0", source)
    received = 0

    async def send(message: dict) -> None:
        nonlocal received
        received += len(message.get("body", b""))

    async def receive() -> dict:
        await asyncio.Event().wait()
        return {}

    tracemalloc.start()
    try:
        content = Content("task/1/0", "video/mp4", 48_000_000, '"abc"')
        response = await file_response(content, objects, "GET", {"range": "bytes=1000-"})
        await response({"type": "http", "method": "GET"}, receive, send)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert received == 48_000_000 - 1000
    assert peak < 4_000_000


@pytest.mark.parametrize(("save", "how"), [(False, "inline"), (True, "attachment")])
async def test_a_file_is_shown_or_saved_as_asked_for(objects: Objects, save: bool, how: str) -> None:
    answer = await file_response(CONTENT, objects, "HEAD", {}, save=save)
    assert answer.headers["content-disposition"] == f'{how}; filename="file.mp4"'


async def test_a_video_is_read_as_safari_reads_it(client: httpx.AsyncClient) -> None:
    """It asks for two bytes to see whether ranges work, then for the whole as a range, then for where it plays."""
    probe = await client.get("/", headers={"Range": "bytes=0-1", "X-Playback-Session-Id": "1", "Accept": "*/*"})
    assert (probe.status_code, probe.content, probe.headers["content-length"]) == (206, FILM[:2], "2")
    assert probe.headers["content-range"] == f"bytes 0-1/{SIZE}"
    assert probe.headers["accept-ranges"] == "bytes"
    rest = {"Range": f"bytes=0-{SIZE - 1}", "If-Range": probe.headers["etag"]}
    whole = await client.get("/", headers=rest)
    assert (whole.status_code, whole.content) == (206, FILM)
    seek = await client.get("/", headers={"Range": f"bytes=700-{SIZE - 1}"})
    assert (seek.status_code, seek.content, seek.headers["content-type"]) == (206, FILM[700:], "video/mp4")
