"""Host names in callers' URLs: what hostile name servers, odd spellings and ports gain, which is nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from darkroom.core.errors import Code
from darkroom.names import AT_ONCE, SystemNames
from name_server import name_server
from web_sites import PICTURE, Site, fetch, page, redirect, refusal, serving

PUBLIC = ["127.0.0.1/32"]  # stands for the public; the rest of 127.0.0.0/8 for the private


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as site:
        site.pages["/"] = page(PICTURE)
        yield site


async def test_a_name_is_looked_up_once_so_that_a_second_answer_changes_nothing(site: Site) -> None:
    async with name_server(pictures=[["127.0.0.1"], ["127.0.0.2"]]) as zone:
        assert await fetch(site.url("/", "pictures.example"), allow=PUBLIC, names=zone.look_up) == PICTURE
        assert zone.asked == ["pictures.example"]
        error = await refusal(site.url("/", "pictures.example"), allow=PUBLIC, names=zone.look_up)
        assert "private or reserved" in error.message


async def test_a_redirect_to_the_same_name_is_checked_again(site: Site) -> None:
    site.pages["/"] = redirect("/next")
    site.pages["/next"] = page(PICTURE)
    async with name_server(pictures=[["127.0.0.1"], ["127.0.0.2"]]) as zone:
        error = await refusal(site.url("/", "pictures.example"), allow=PUBLIC, names=zone.look_up)
    assert "private or reserved" in error.message
    assert len(site.requests) == 1


async def test_a_redirect_to_a_name_of_a_private_address_is_refused(site: Site) -> None:
    async with name_server(outside=[["127.0.0.1"]], inside=[["169.254.169.254"]]) as zone:
        site.pages["/"] = redirect("http://inside.example/latest/meta-data/")
        error = await refusal(site.url("/", "outside.example"), allow=PUBLIC, names=zone.look_up)
        assert "private or reserved" in error.message
        assert zone.asked == ["outside.example", "inside.example"]


@pytest.mark.parametrize(
    "hidden", ["10.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.2", "64:ff9b::7f00:2", "2002:7f00:1::"]
)
async def test_one_private_address_among_several_is_enough_to_refuse(site: Site, hidden: str) -> None:
    async with name_server(pictures=[["127.0.0.1", hidden]]) as zone:
        error = await refusal(site.url("/", "pictures.example"), allow=PUBLIC, names=zone.look_up)
    assert "private or reserved" in error.message
    assert site.requests == []


async def test_the_next_address_is_tried_when_one_does_not_answer(site: Site) -> None:
    async with name_server(pictures=[["127.0.0.2", "127.0.0.1"]]) as zone:
        assert await fetch(site.url("/", "pictures.example"), names=zone.look_up) == PICTURE


async def test_a_thousand_addresses_share_one_time_limit(site: Site) -> None:
    async def hang(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    site.pages["/"] = hang
    many = [f"127.0.{n >> 8}.{n & 255}" for n in range(1, 60)]
    async with name_server(pictures=[[*many, "127.0.0.1"]]) as zone:
        error = await refusal(site.url("/", "pictures.example"), names=zone.look_up, timeout=0.5)
    assert error.code is Code.TIMED_OUT


async def test_a_name_server_that_never_answers_is_given_up(site: Site) -> None:
    async with name_server(silent=[]) as zone:
        error = await refusal(site.url("/", "silent.example"), names=zone.look_up, timeout=0.3)
    assert (error.code, error.retryable) == (Code.TIMED_OUT, True)


@pytest.mark.parametrize("answers", [{"noise": [None]}, {"other": [["127.0.0.1"]]}, {"noise": [["127.0.0.1"], []]}])
async def test_a_name_without_an_address_is_refused(site: Site, answers: dict[str, list[list[str] | None]]) -> None:
    async with name_server(**answers) as zone:
        if len(answers.get("noise", ())) == 2:
            await fetch(site.url("/", "noise.example"), names=zone.look_up)
        error = await refusal(site.url("/", "noise.example"), names=zone.look_up)
    assert (error.code, "cannot be found" in error.message) == (Code.INVALID_INPUT, True)


NOBODYS = {
    "http://127。0。0。1:{port}/": "private",
    "http://127.0.0.1。:{port}/": "",
    "http://LOCALHOST.:{port}/": "",
    "http://%31%32%37.0.0.1:{port}/": "cannot be found",
    "http://127.0.0.1%00.example:{port}/": "cannot be found",
    "http://127.0.0.1%2f.example:{port}/": "cannot be found",
    "http://[::1%25lo]:{port}/": "",
    "http://[::1%lo]:{port}/": "",
    "http://[fe80::1%25eth0]:{port}/": "",
    "http://①②⑦.0.0.1:{port}/": "malformed",
    "http://0177.0.0.1:{port}/": "malformed",
    "http://127.0.0.1\r\n:{port}/": "malformed",
    "http://host.example@127.0.0.1:{port}/": "password",
    "http://host.example:80@127.0.0.1:{port}/": "password",
    "http://1.1.1.1 &@127.0.0.1:{port}/": "password",
    "http:127.0.0.1:{port}/": "host",
    "http:/127.0.0.1:{port}/": "host",
    "http:////127.0.0.1:{port}/": "host",
}


@pytest.mark.parametrize("url", NOBODYS)
async def test_no_spelling_of_this_machine_gets_through(site: Site, url: str) -> None:
    error = await refusal(url.format(port=site.port), allow=[])
    assert (error.code, NOBODYS[url] in error.message) == (Code.INVALID_INPUT, True), error.message
    assert site.requests == []


@pytest.mark.parametrize("port", [1, 22, 25, 53, 110, 143, 445, 465, 587, 993])
async def test_ports_of_other_services_are_refused(port: int) -> None:
    error = await refusal(f"http://127.0.0.1:{port}/")
    assert (error.code, f"Port {port} " in error.message) == (Code.INVALID_INPUT, True)


async def test_a_redirect_to_a_port_of_another_service_is_refused(site: Site) -> None:
    site.pages["/"] = redirect("http://127.0.0.1:25/")
    assert "Port 25 " in (await refusal(site.url("/"))).message


@pytest.mark.parametrize("port", [0, 65536, 99999999])
async def test_ports_that_do_not_exist_are_refused(port: int) -> None:
    assert (await refusal(f"http://127.0.0.1:{port}/")).code is Code.INVALID_INPUT


LIES = {
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a negative length": b"Content-Length: -5\r\n\r\nhello",
    "a length in words": b"Content-Length: five\r\n\r\nhello",
    "less than it says": b"Content-Length: 500\r\n\r\nhello",
    "an unknown encoding": b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a chunk without end": b"Transfer-Encoding: chunked\r\n\r\nffff\r\nhello",
    "a chunk of no size": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello",
    "a head without end": b"X: " + b"y" * 1_000_000 + b"\r\n\r\n",
    "many headers": b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\n",
}


@pytest.mark.parametrize("answer", LIES.values(), ids=LIES)
async def test_an_answer_that_lies_about_itself_is_refused(site: Site, answer: bytes) -> None:
    site.pages["/"] = b"HTTP/1.1 200 OK\r\n" + answer
    assert (await refusal(site.url("/"))).code is Code.INVALID_INPUT


async def test_what_follows_the_declared_length_is_not_taken(site: Site) -> None:
    site.pages["/"] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world"
    assert await fetch(site.url("/")) == b"hello"


@pytest.mark.parametrize("location", ["/a b", "/%0d%0aX:y"])
async def test_an_odd_redirect_is_followed_to_where_it_leads(site: Site, location: str) -> None:
    site.pages |= {"/": redirect(location), "/a%20b": page(PICTURE), "/%0d%0aX:y": page(PICTURE)}
    assert await fetch(site.url("/")) == PICTURE
    assert all("\r\nX:y" not in request for request in site.requests)


@pytest.mark.parametrize("location", ["", "?x", "//", "http://[", "http://\xff/", "http:///"])
async def test_a_redirect_to_nowhere_is_refused(site: Site, location: str) -> None:
    answer = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n".encode("latin-1")
    site.pages |= {"/": answer, "/?x": answer}
    assert (await refusal(site.url("/"))).code is Code.INVALID_INPUT


async def test_the_system_knows_this_machine_by_name() -> None:
    assert set(await SystemNames()("localhost", 80)) <= {"127.0.0.1", "::1"}


@dataclass
class Resolver:
    """The system's resolver, which hangs for some names: no name server in reach of a test can make it do so."""

    release: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver, genuine = Resolver(), socket.getaddrinfo

    def look_up(host: str, *args: object, **options: object) -> object:
        resolver.asked.append(host)
        if host.endswith(".example"):
            resolver.release.wait(20)
            raise OSError
        return genuine(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield resolver
    resolver.release.set()


async def test_a_look_up_that_hangs_holds_up_nothing_else(resolver: Resolver) -> None:
    names = SystemNames()
    hanging = [asyncio.create_task(names(f"hangs-{number}.example", 80)) for number in range(AT_ONCE - 1)]
    await asyncio.sleep(0)
    assert await names("127.0.0.1", 80) == ["127.0.0.1"]
    assert await asyncio.to_thread(lambda: "not held up") == "not held up"
    resolver.release.set()
    assert {type(end) for end in await asyncio.gather(*hanging, return_exceptions=True)} == {OSError}


async def test_where_too_many_hang_others_wait_for_their_turn(resolver: Resolver) -> None:
    names = SystemNames()
    hanging = [asyncio.create_task(names(f"hangs-{number}.example", 80)) for number in range(AT_ONCE)]
    await asyncio.sleep(0)
    hanging[0].cancel()  # whoever gave up does not free the place that his look-up still takes
    impatient = asyncio.create_task(names("127.0.0.2", 80))
    patient = asyncio.create_task(names("127.0.0.1", 80))
    await asyncio.wait([impatient, patient], timeout=0.1)
    assert not impatient.done()
    assert not patient.done()
    impatient.cancel()
    resolver.release.set()
    assert await patient == ["127.0.0.1"]
    assert "127.0.0.2" not in resolver.asked
    ends = await asyncio.gather(*hanging, return_exceptions=True)
    assert {type(end) for end in ends} == {OSError, asyncio.CancelledError}


async def test_a_name_that_many_ask_for_at_once_is_looked_up_once(resolver: Resolver) -> None:
    names = SystemNames()
    asking = [asyncio.create_task(names("127.0.0.1", 80)) for _ in range(3 * AT_ONCE)]
    one = asyncio.create_task(names("hangs.example", 80))
    many = [asyncio.create_task(names("hangs.example", 80)) for _ in range(3 * AT_ONCE)]
    assert await asyncio.gather(*asking) == [["127.0.0.1"]] * (3 * AT_ONCE)
    one.cancel()  # the others still get the answer
    resolver.release.set()
    assert {type(end) for end in await asyncio.gather(*many, return_exceptions=True)} == {OSError}
    assert sorted(resolver.asked) == ["127.0.0.1", "hangs.example"]
    assert await names("127.0.0.1", 80) == ["127.0.0.1"]
    assert len(resolver.asked) == 3  # an answer is not kept


async def test_those_who_waited_for_a_place_share_an_answer(resolver: Resolver) -> None:
    names = SystemNames()
    hanging = [asyncio.create_task(names(f"hangs-{number}.example", 80)) for number in range(AT_ONCE)]
    await asyncio.sleep(0)
    asking = [asyncio.create_task(names("127.0.0.1", 80)) for _ in range(3 * AT_ONCE)]
    await asyncio.sleep(0)
    resolver.release.set()
    assert await asyncio.gather(*asking) == [["127.0.0.1"]] * (3 * AT_ONCE)
    await asyncio.gather(*hanging, return_exceptions=True)
    assert len(resolver.asked) < 3 * AT_ONCE
