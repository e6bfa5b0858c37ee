"""Journeys through a real server: what a client of the dialect goes through, from its submit to its pictures.

Join with a `Journey`, which says how the dialect is spoken, and two lines of a test file:

    class TestAcmeJourney(JourneySuite):
        dialect, journey = acme.dialect, ACME

Each class runs a server of its own with the fake engine, to which the prompt says what shall become of the task. The
server finds the dialect as it always does, so a plug-in must be installed. What a dialect declares as a capability is
tried; what it does not declare is not asked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx

from ..dialects import Dialect, discover
from .server import Darkroom, fetched, polls, until

Request = tuple[str, str, dict[str, Any]]  # method, path on the server, httpx's options

ORDER = ("queued", "running", "succeeded")
FINAL = ("succeeded", "failed", "canceled")
SUCCEED, FAIL, SLOW, HANG = "a lake", "a lake, fake:fail", "a lake, fake:slow", "a lake, fake:hang"
REASON = "The fake engine failed, as asked."
SETTINGS = {"DARKROOM_RETRY_SECONDS": "0.05", "DARKROOM_WEBHOOK_ALLOW": "127.0.0.0/8"}


def bearer(key: str) -> Mapping[str, str]:
    """The headers that carry a key, where the vendor has no other way."""
    return {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """How a dialect is spoken, written from its vendor's page.

    `submit` asks for a picture of a prompt, `query` for a task by its id. `task_id` reads the answer to a submit;
    `state` (one of queued, running, succeeded, failed, canceled) and `links` read the answer to a query. `refused` puts
    a refusal into words such as "404 not_found"; the words for five situations follow, `invalid` being all of those
    for an input that is no picture. The rest is for what the dialect declares: `cancel` and `delete` of a task by its
    id, `sync` for a submit that is answered with its results (`sync_links` reads them, `links` without), `parts` for
    one with a picture for each of two parts, `upload` for one with a picture by its file name and content, `webhook`
    for one that names a URL to be told.
    """

    name: str
    submit: Callable[[str], Request]
    query: Callable[[str], Request]
    task_id: Callable[[Any], str]
    state: Callable[[Any], str]
    links: Callable[[Any], list[str]]
    refused: Callable[[httpx.Response], str]
    missing_key: str
    invalid_key: str
    not_found: str
    no_credits: str
    invalid: tuple[str, ...] = ()
    key: Callable[[str], Mapping[str, str]] = bearer
    cancel: Callable[[str], Request] | None = None
    delete: Callable[[str], Request] | None = None
    sync: Callable[[str], Request] | None = None
    sync_links: Callable[[Any], list[str]] | None = None
    parts: Callable[[bytes, bytes], Request] | None = None
    upload: Callable[[str, bytes], Request] | None = None
    webhook: Callable[[str, str], Request] | None = None

    def made(self, client: httpx.Client, prompt: str) -> str:
        """The id of a new task."""
        return self.task_id(answered(ask(client, self.submit(prompt))))

    def read(self, client: httpx.Client, task_id: str) -> Any:
        """The answer to a query."""
        return answered(ask(client, self.query(task_id)))


def ask(client: httpx.Client, request: Request) -> httpx.Response:
    """Send a request."""
    method, path, options = request
    return client.request(method, path, **options)


def answered(response: httpx.Response) -> Any:
    """The JSON of an answer that is a success."""
    assert not response.is_server_error, bug(response)
    assert response.is_success, f"{response.request.url} answers {response.status_code} {response.text}"
    return response.json()


def bug(response: httpx.Response) -> str:
    """What to do about an answer of 5xx."""
    return f"{response.request.url} answers {response.status_code}: run the dialect's other tests, which say why"


def until_final(journey: Journey, client: httpx.Client, task_id: str) -> Any:
    """The answer to a query of a task that has ended."""
    *_, last = polls(lambda: journey.read(client, task_id), lambda body: journey.state(body) in FINAL)
    return last


def native_refusal(response: httpx.Response) -> str:
    """HTTP status and code of a refusal by the native dialect."""
    error = response.json()["error"]
    assert set(error) == {"code", "message", "param"}, error
    assert error["message"], error
    return f"{response.status_code} {error['code']}"


NATIVE = Journey(
    name="native",
    submit=lambda prompt: (
        *("POST", "/api/tasks"),
        {"json": {"operation": "image.generate", "params": {"prompt": prompt}}},
    ),
    sync=lambda prompt: (
        *("POST", "/api/tasks?wait=20"),
        {"json": {"operation": "image.generate", "params": {"prompt": prompt}}},
    ),
    webhook=lambda prompt, url: (
        *("POST", "/api/tasks"),
        {"json": {"operation": "image.generate", "params": {"prompt": prompt}, "webhook": url}},
    ),
    upload=lambda name, content: ("POST", "/api/files", {"files": {"file": (name, content)}}),
    query=lambda task_id: ("GET", f"/api/tasks/{task_id}", {}),
    cancel=lambda task_id: ("POST", f"/api/tasks/{task_id}/cancel", {}),
    delete=lambda task_id: ("DELETE", f"/api/tasks/{task_id}", {}),
    task_id=lambda body: body["id"],
    state=lambda body: "failed" if body["state"] == "canceled" else body["state"],
    links=lambda body: [output["url"] for output in body["outputs"]],
    refused=native_refusal,
    missing_key="401 missing_key",
    invalid_key="401 invalid_key",
    not_found="404 not_found",
    invalid=("400 invalid_input", "400 invalid_media", "413 too_large", "400 unknown_model"),
    no_credits="402 no_credits",
)


class JourneySuite:
    """Subclass this, name the subclass `Test…`, and set `dialect` and `journey`.

    A task that is made here is read through `others`, too, and theirs through this one.
    """

    dialect: ClassVar[Dialect]
    journey: ClassVar[Journey]
    others: ClassVar[Sequence[Journey]] = (NATIVE,)
    server: ClassVar[Darkroom]
    _folder: ClassVar[tempfile.TemporaryDirectory[str]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, capability in OF_CAPABILITY.items():
            if "dialect" in vars(cls):
                setattr(cls, name, getattr(JourneySuite, name) if capability in cls.dialect.capabilities else None)

    @classmethod
    def setup_class(cls) -> None:
        """Start a server."""
        name = cls.dialect.name
        assert any(dialect.name == name for dialect in discover()), (
            f"no dialect {name!r} is installed: install its package, with an entry point in the group darkroom.dialects"
        )
        cls._folder = tempfile.TemporaryDirectory()
        cls.server = Darkroom(Path(cls._folder.name), engines="fake", env=SETTINGS, flags=("--workers", "2"))
        cls.server.start()

    @classmethod
    def teardown_class(cls) -> None:
        """End the server."""
        with cls._folder:
            cls.server.stop()

    def caller(self, credits: int = 100) -> httpx.Client:  # noqa: A002 - the field's word
        """A client with a key of an account of its own."""
        return self.server.client(None, headers=dict(self.journey.key(self.server.new_key(credits=credits))))

    def test_the_journey_uses_what_the_dialect_declares(self) -> None:
        """What a client can do is a capability, and what is declared is tried."""
        ways = {capability: getattr(self.journey, way) for way, capability in WAYS.items()}
        told = {capability for capability, way in ways.items() if way is not None}
        assert told == self.dialect.capabilities & ways.keys(), "say in the journey how to use what is declared"

    def test_a_task_goes_from_its_submit_to_its_results(self) -> None:
        """Submit, poll, fetch: states come in their order, and the links lead to the files without a key."""
        client = self.caller()
        task_id = self.journey.made(client, SUCCEED)
        assert task_id, "the answer to a submit names the task"
        bodies = polls(lambda: self.journey.read(client, task_id), lambda body: self.journey.state(body) in FINAL)
        seen = [self.journey.state(body) for body in bodies]
        assert seen == sorted(seen, key=ORDER.index), f"the task went back: {seen}"
        done = self.journey.read(client, task_id)
        check_files(self.server, self.journey.links(done))

    def test_a_failed_task_says_why_and_delivers_nothing(self) -> None:
        """The reason is the public one."""
        client = self.caller()
        done = until_final(self.journey, client, self.journey.made(client, FAIL))
        assert (self.journey.state(done), self.journey.links(done)) == ("failed", [])
        assert REASON in str(done), f"the answer does not say why the task failed ({REASON!r}): {done}"

    def test_a_task_outlives_a_restart_of_the_server(self) -> None:
        """What was acknowledged is kept and done, also if the server stops in the middle of it."""
        client = self.caller()
        headers = dict(client.headers)
        task_id = self.journey.made(client, SLOW)
        until(lambda: self.journey.state(self.journey.read(client, task_id)) == "running")
        self.server.restart()
        client = self.server.client(None, headers=headers)
        done = until_final(self.journey, client, task_id)
        assert self.journey.state(done) == "succeeded"
        check_files(self.server, self.journey.links(done))

    def test_who_has_no_credits_is_refused(self) -> None:
        """Nothing is made that nobody pays for."""
        assert self._refusal(self.caller(credits=0), self.journey.submit(SUCCEED)) == self.journey.no_credits

    def test_nobody_is_served_without_a_key_or_with_an_unknown_one(self) -> None:
        """Neither a submit nor a query is, and both are told so."""
        unknown = self.server.client(None, headers=dict(self.journey.key("sk-nobodys0nobodys0nobodys0nobodys0")))
        for request in (self.journey.submit(SUCCEED), self.journey.query("nobody")):
            assert self._refusal(self.server.client(None), request) == self.journey.missing_key
            assert self._refusal(unknown, request) == self.journey.invalid_key

    def test_somebody_elses_task_is_as_unknown_as_none(self) -> None:
        """A foreign id is answered as an id is that never was."""
        task_id = self.journey.made(self.caller(), SUCCEED)
        stranger = self.caller()
        requests = [self.journey.query, *filter(None, (self.journey.cancel,))]
        for request in requests:
            for asked in (task_id, self.dialect.mint_id()):
                assert self._refusal(stranger, request(asked)) == self.journey.not_found

    def test_a_task_is_read_through_other_dialects_and_theirs_through_this_one(self) -> None:
        """All dialects show the same tasks."""
        key = self.server.new_key()
        for maker in (self.journey, *self.others):
            task_id = maker.made(self._client(maker, key), SUCCEED)
            for reader in (self.journey, *self.others):
                done = until_final(reader, self._client(reader, key), task_id)
                assert reader.state(done) == "succeeded", f"{reader.name} reads a task of {maker.name} as {done}"
                check_files(self.server, reader.links(done))

    def test_a_running_task_can_be_canceled(self) -> None:
        """Capability `cancel`: it ends within seconds, and stays ended."""
        assert self.journey.cancel
        client = self.caller()
        task_id = self.journey.made(client, HANG)
        until(lambda: self.journey.state(self.journey.read(client, task_id)) == "running")
        assert ask(client, self.journey.cancel(task_id)).is_success
        assert self.journey.state(until_final(self.journey, client, task_id)) in ("failed", "canceled")

    def test_a_deleted_task_is_gone_with_its_files(self) -> None:
        """Capability `delete`: neither the task nor its results can be had any more."""
        assert self.journey.delete
        client = self.caller()
        task_id = self.journey.made(client, SUCCEED)
        links = self.journey.links(until_final(self.journey, client, task_id))
        assert ask(client, self.journey.delete(task_id)).is_success
        assert self._refusal(client, self.journey.query(task_id)) == self.journey.not_found
        assert [fetched(link).status_code for link in links] == [404] * len(links)

    def test_a_submit_can_be_answered_with_the_results(self) -> None:
        """Capability `sync`: without a query."""
        assert self.journey.sync
        links = self.journey.sync_links or self.journey.links
        check_files(self.server, links(answered(ask(self.caller(), self.journey.sync(SUCCEED)))))

    def test_a_task_can_have_parts(self) -> None:
        """Capability `children`: a submit with two pictures is a task of two parts."""
        assert self.journey.parts
        key = self.server.new_key()
        client = self._client(self.journey, key)
        pictures = [fetched(self._picture(client)).content for _ in range(2)]
        task_id = self.journey.task_id(answered(ask(client, self.journey.parts(pictures[0], pictures[1]))))
        assert self.journey.state(until_final(self.journey, client, task_id)) == "succeeded"
        assert len(NATIVE.read(self._client(NATIVE, key), task_id)["children"]) == 2

    def test_a_url_is_told_of_the_end_of_a_task(self) -> None:
        """Capability `webhook`: the URL of a submit gets a signed request that names the task."""
        assert self.journey.webhook, "the dialect declares `webhook`: say in the journey how a submit names a URL"
        with listening() as (url, told):
            task_id = self.journey.task_id(answered(ask(self.caller(), self.journey.webhook(SUCCEED, url))))
            until(lambda: told)
        headers, body = told[0]
        assert task_id in body, f"the webhook does not name the task {task_id}: {body}"
        assert headers["webhook-signature"].startswith("v1,")

    def test_an_input_that_is_no_picture_is_refused(self) -> None:
        """Where the vendor takes files, it says what is wrong with one."""
        if self.journey.upload:
            assert (
                self._refusal(self.caller(), self.journey.upload("a.png", b"this is no picture"))
                in self.journey.invalid
            )

    def test_the_server_met_no_bug(self) -> None:
        """Whatever callers asked for above was answered on purpose."""
        bugs = [line for line in self.server.log.splitlines() if "Traceback" in line]
        assert not bugs, f"{len(bugs)} bugs, the first of them: {bugs[0]}"

    def _refusal(self, client: httpx.Client, request: Request) -> str:
        response = ask(client, request)
        assert not response.is_server_error, bug(response)
        try:
            return self.journey.refused(response)
        except (KeyError, TypeError, ValueError):
            answer = f"{response.status_code} {response.text[:400]}"
            raise AssertionError(f"{response.request.url} is to be refused, but answers {answer}") from None

    def _picture(self, client: httpx.Client) -> str:
        done = until_final(self.journey, client, self.journey.made(client, SUCCEED))
        return self.journey.links(done)[0]

    def _client(self, journey: Journey, key: str) -> httpx.Client:
        return self.server.client(None, headers=dict(journey.key(key)))


WAYS = {"cancel": "cancel", "delete": "delete", "sync": "sync", "parts": "children"}  # of a journey, by capability
OF_CAPABILITY = {
    "test_a_running_task_can_be_canceled": "cancel",
    "test_a_deleted_task_is_gone_with_its_files": "delete",
    "test_a_submit_can_be_answered_with_the_results": "sync",
    "test_a_task_can_have_parts": "children",
    "test_a_url_is_told_of_the_end_of_a_task": "webhook",
}


@contextmanager
def listening() -> Iterator[tuple[str, list[tuple[Message, str]]]]:
    """The URL of a receiver of webhooks on loopback, and headers and body of what it gets."""
    told: list[tuple[Message, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Take everything."""
            body = self.rfile.read(int(self.headers["content-length"]))
            told.append((self.headers, body.decode()))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}/told", told
        finally:
            running.shutdown()
            thread.join()


def check_files(server: Darkroom, links: list[str]) -> None:
    """Assert that links lead to pictures or videos on this server, for anybody."""
    assert links, "a task that succeeded has links to its results"
    for link in links:
        parts = urlsplit(link)
        assert f"{parts.scheme}://{parts.netloc}" == server.address, (
            f"{link!r} leads nowhere: make links with `request.link(path)`"
        )
        file = fetched(link)
        assert file.status_code == 200, f"{link} answers {file.status_code} {file.text[:200]}"
        assert file.headers["content-type"].startswith(("image/", "video/"))
        assert file.content
