"""Downloads of callers' URLs, from a real server on this machine and past every way around the guard."""

from __future__ import annotations

import asyncio
import gzip
import io
import socket
from collections.abc import AsyncIterator

import pytest

from darkroom.core.errors import Code, TaskError
from darkroom.fetch import Fetcher
from processes import PATIENCE
from web_sites import LOOPBACK, PICTURE, Site, fetch, page, redirect, refusal, serving


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as site:
        yield site


async def test_a_file_is_downloaded(site: Site) -> None:
    for answer in (page(PICTURE), b"HTTP/1.1 200 OK\r\n\r\n" + PICTURE):
        site.pages["/cat.png?size=1"] = answer
        assert await fetch(site.url("/cat.png?size=1#part")) == PICTURE


async def test_a_host_name_travels_in_the_request(site: Site) -> None:
    site.pages["/"] = page(PICTURE)
    assert await fetch(site.url("/", "localhost")) == PICTURE
    assert f"\r\nHost: localhost:{site.port}\r\n" in site.requests[0]


async def test_a_host_name_travels_in_the_tls_greeting() -> None:
    greeting = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting.set_result(await reader.read(4096))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await refusal(f"https://localhost:{port}/")
    assert error.code is Code.INVALID_INPUT
    assert b"localhost" in await greeting


async def test_redirects_are_followed_also_relative_ones(site: Site) -> None:
    site.pages["/a/1"] = redirect("../b/2")
    site.pages["/b/2"] = redirect(site.url("/c", "localhost"))
    site.pages["/c"] = page(PICTURE)
    assert await fetch(site.url("/a/1")) == PICTURE


async def test_three_redirects_are_followed_and_four_are_not(site: Site) -> None:
    site.pages |= {f"/{n}": redirect(f"/{n + 1}") for n in range(4)}
    site.pages["/4"] = page(PICTURE)
    assert await fetch(site.url("/1")) == PICTURE
    error = await refusal(site.url("/0"))
    assert (error.code, "3 times" in error.message) == (Code.INVALID_INPUT, True)


async def test_nothing_of_this_server_travels_along(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login operator password secret")
    for name, value in {"NETRC": str(netrc), "HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://[::1]:9"}.items():
        monkeypatch.setenv(name, value)
    site.pages["/"] = redirect("/next", "Set-Cookie: track=1; Path=/")
    site.pages["/next"] = page(PICTURE)
    assert await fetch(site.url("/")) == PICTURE
    assert len(site.requests) == 2
    for word in ("cookie", "authorization", "referer"):
        assert word not in "".join(site.requests).lower()


SPELLINGS_OF_LOOPBACK = ["127.0.0.1", "localhost", "2130706433", "017700000001", "0x7f.1", "127.1", "0", "0.0.0.0"]
SPELLINGS_OF_LOOPBACK += [
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[::127.0.0.1]",
]


@pytest.mark.parametrize("host", SPELLINGS_OF_LOOPBACK)
async def test_this_machine_is_out_of_reach_in_every_spelling(site: Site, host: str) -> None:
    site.pages["/"] = page(PICTURE)
    error = await refusal(site.url("/", host), allow=[])
    assert (error.code, "private or reserved" in error.message) == (Code.INVALID_INPUT, True)
    assert site.requests == []


PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.255",
]
PRIVATE += ["0.1.2.3", "127.255.255.254", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"]
PRIVATE += ["192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"]
PRIVATE += ["fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "100::1", "2001:db8::1", "3fff::1", "5f00::1"]
PRIVATE += ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "64:ff9b:1::7f00:1"]
PRIVATE += [
    "64:ff9b::a9fe:a9fe",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:192.168.0.1",
    "::ffff:169.254.169.254",
]


@pytest.mark.parametrize("address", PRIVATE)
async def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    error = await refusal(f"http://{host}/latest/meta-data/", allow=[])
    assert (error.code, "private or reserved" in error.message) == (Code.INVALID_INPUT, True)
    assert address not in error.message


async def test_a_redirect_into_a_private_network_is_refused(site: Site) -> None:
    for location in ("http://169.254.169.254/latest/meta-data/", "//10.0.0.1/", "http://[fd00::1]/"):
        site.pages["/"] = redirect(location)
        error = await refusal(site.url("/"), allow=["127.0.0.1/32"])
        assert "private or reserved" in error.message
    assert len(site.requests) == 3


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://127.0.0.1:6379/_", "http://user:word@127.0.0.1/"])
async def test_a_redirect_to_a_url_that_is_not_fetched_is_refused(site: Site, location: str) -> None:
    site.pages["/"] = redirect(location)
    error = await refusal(site.url("/"))
    assert ("http and https" in error.message) != ("password" in error.message)


BAD_URLS = {
    "http and https": ["", "cat.png", "//host.example/cat.png", "ftp://host.example/", "file:///etc/passwd", "data:,A"],
    "password": ["http://user:word@host.example/", "http://user@host.example/", "http://127.0.0.1\\@host.example/"],
    "host": ["http://", "http:///cat.png", "http://host:99999/", "http://host:-1/"],
    "malformed": [
        "http://host:port/",
        "http://[::1/",
        "http://ho\x00st/",
        "http://0177.0.0.1/",
        f"http://{'a' * 99_999}",
    ],
    "cannot be found": [f"http://{'a' * 300}.example/", "http://a..b/", f"http://xn--0.{'a' * 64}/"],
}


@pytest.mark.parametrize(("hint", "url"), [(hint, url) for hint, urls in BAD_URLS.items() for url in urls])
async def test_a_url_that_cannot_be_fetched_is_refused_with_a_reason(hint: str, url: str) -> None:
    error = await refusal(url)
    assert (error.code, hint in error.message) == (Code.INVALID_INPUT, True), error.message


async def test_an_endless_body_is_stopped_at_the_limit(site: Site) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    site.pages["/"] = endless
    to = io.BytesIO()
    with pytest.raises(TaskError) as caught:
        await Fetcher(allow=LOOPBACK, max_bytes=1_000_000).fetch(site.url("/"), to)
    assert caught.value.code is Code.TOO_LARGE
    assert len(to.getvalue()) <= 1_000_000
    await asyncio.wait_for(site.hung_up.wait(), PATIENCE)


async def test_a_declared_length_above_the_limit_is_refused_unread(site: Site) -> None:
    for length in (len(PICTURE) + 1, 10**18):
        site.pages["/"] = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nx".encode()
        assert (await refusal(site.url("/"), max_bytes=len(PICTURE))).code is Code.TOO_LARGE


async def test_a_body_of_exactly_the_limit_is_downloaded(site: Site) -> None:
    site.pages["/"] = page(PICTURE)
    assert await fetch(site.url("/"), max_bytes=len(PICTURE)) == PICTURE
    assert (await refusal(site.url("/"), max_bytes=len(PICTURE) - 1)).code is Code.TOO_LARGE


async def drip(writer: asyncio.StreamWriter, head: bytes, drop: bytes) -> None:
    writer.write(head)
    while True:
        writer.write(drop)
        await writer.drain()
        await asyncio.sleep(0.02)


DRIPS = {
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "interim answers": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
}


@pytest.mark.parametrize(("head", "drop"), DRIPS.values(), ids=DRIPS.keys())
async def test_a_server_that_drips_is_stopped_by_the_time_limit(site: Site, head: bytes, drop: bytes) -> None:
    site.pages["/"] = lambda writer: drip(writer, head, drop)
    error = await refusal(site.url("/"), timeout=1)
    assert (error.code, error.retryable) == (Code.TIMED_OUT, True)
    await asyncio.wait_for(site.hung_up.wait(), PATIENCE)


async def test_redirects_share_one_time_limit(site: Site) -> None:
    async def late(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(redirect("/"))

    site.pages["/"] = late
    assert (await refusal(site.url("/"), timeout=0.4, max_redirects=50)).code is Code.TIMED_OUT


async def test_a_gzip_bomb_is_never_unpacked(site: Site) -> None:
    site.pages["/"] = page(gzip.compress(bytes(20_000_000)), "Content-Encoding: gzip")
    assert (await refusal(site.url("/"))).code is Code.INVALID_MEDIA
    assert "\r\nAccept-Encoding: identity\r\n" in site.requests[0]


@pytest.mark.parametrize(
    ("status", "retryable"),
    [("404 Not Found", False), ("403 Forbidden", False), ("204 No Content", False), ("503 Unavailable", True)],
)
async def test_a_page_that_is_not_there_is_refused_with_its_status(site: Site, status: str, retryable: bool) -> None:
    site.pages["/"] = f"HTTP/1.1 {status}\r\n\r\n".encode()
    error = await refusal(site.url("/"))
    assert (error.code, error.retryable) == (Code.INVALID_INPUT, retryable)
    assert status[:3] in error.message


@pytest.mark.parametrize(
    "answer",
    [b"", b"220 mail.example ESMTP\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"\x00" * 1000],
    ids=["nothing", "mail", "half a body", "zeros"],
)
async def test_a_server_that_breaks_the_protocol_is_refused(site: Site, answer: bytes) -> None:
    site.pages["/"] = answer
    error = await refusal(site.url("/"))
    assert (error.code, error.retryable) == (Code.INVALID_INPUT, True)


async def test_a_port_where_nobody_listens_is_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await refusal(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert (error.code, "cannot be reached" in error.message) == (Code.INVALID_INPUT, True)


async def test_a_full_disk_is_a_storage_failure(site: Site) -> None:
    site.pages["/"] = page(PICTURE)
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(TaskError) as caught:  # noqa: PTH123
        await Fetcher(allow=LOOPBACK).fetch(site.url("/"), full)
    assert (caught.value.code, caught.value.retryable) == (Code.STORAGE_FAILED, True)


async def test_a_fetch_that_is_canceled_stops_at_once(site: Site) -> None:
    started = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        started.set()
        await drip(writer, b"HTTP/1.1 200 OK\r\n\r\n", b"x")

    site.pages["/"] = hang
    fetching = asyncio.create_task(fetch(site.url("/")))
    await started.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await asyncio.wait_for(site.hung_up.wait(), PATIENCE)
