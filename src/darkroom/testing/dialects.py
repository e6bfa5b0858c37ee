"""The contract of every dialect: what the pipeline and the clients rely on, whatever the vendor.

Join it in two lines of a test file; pytest finds the inherited tests:

    class TestAcme(DialectSuite):
        dialect = acme.dialect
        transcripts = Path(__file__).parent / "acme"    # where there are any: see `darkroom.testing.transcripts`

The tests call the `check_…` functions of this module, which raise `AssertionError` and say what is wrong. They learn
from the annotation of `encode` which result an endpoint answers (`TaskResult`, `Deleted`, …); they pass it every such
result with a request that has an empty JSON object as body, so `encode` must not rely on more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, get_origin

import pytest

from ..core.catalog import Model, Param
from ..core.commands import Account, Cancel, Command, Deleted, Health, Notice, Session, TaskEvent, TaskPage, TaskResult
from ..core.errors import Code, TaskError
from ..core.task import Operation, State
from ..core.webhooks import event_name
from ..dialects import Dialect, Endpoint, WireRequest, WireResponse, discover
from . import tasks
from .exchange import (
    BASE_URL,
    PARAM,
    ask,
    check_answer,
    check_links,
    encoded,
    leaves,
    refused,
    result_types,
    sample_request,
    sign,
)
from .hostile import check_hostile_input
from .money import money_results
from .tasks import SECRET
from .transcripts import Transcript, read_transcripts, run_transcript, run_transcripts

__all__ = [
    "DialectSuite",
    "ask",
    "check_capabilities",
    "check_credential",
    "check_errors",
    "check_hostile_input",
    "check_ids",
    "check_messages",
    "check_purity",
    "check_results",
    "check_routes",
    "check_states",
    "read_transcripts",
    "run_transcript",
    "run_transcripts",
]

# What a dialect may declare. What cannot be seen here, `darkroom.testing.journeys` checks on a server.
CAPABILITIES: Mapping[str, str] = {
    "sync": "a submit may be answered with the results",
    "list": "tasks can be listed",
    "cancel": "tasks can be canceled",
    "delete": "tasks can be deleted",
    "children": "a task may have several parts, each with a state of its own",
    "push": "a WebSocket tells what happens to tasks",
    "expires": "results that have expired have a word of their own; otherwise their task is shown as failed",
    "webhook": "the server calls the client's address when a task ends",
}
SITUATIONS = (State.QUEUED, State.RUNNING, State.SUCCEEDED, State.FAILED)
URL_SAFE = re.compile(r"[A-Za-z0-9_~-]{1,128}")


class DialectSuite:
    """Subclass this, name the subclass `Test…`, and set `dialect`; `transcripts` is the folder of `*.http` files."""

    dialect: ClassVar[Dialect]
    transcripts: ClassVar[Path | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        wanted = DialectSuite.test_the_vendors_examples_are_answered_as_the_vendor_does
        cls.test_the_vendors_examples_are_answered_as_the_vendor_does = wanted if cls.transcripts else None  # type: ignore[method-assign, assignment]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each endpoint and for each example of the vendor."""
        if "endpoint" in metafunc.fixturenames:
            ids = [f"{endpoint.method} {endpoint.path}" for endpoint in self.dialect.endpoints]
            metafunc.parametrize("endpoint", self.dialect.endpoints, ids=ids)
        if "transcript" in metafunc.fixturenames and self.transcripts:
            found = read_transcripts(self.transcripts)
            if not found:
                raise ValueError(f"{self.transcripts} holds no examples: copy them from the vendor's page into *.http")
            metafunc.parametrize("transcript", found, ids=[transcript.place for transcript in found])

    def test_routes_are_distinct(self) -> None:
        """Nobody else answers the same requests."""
        others = [dialect for dialect in discover() if dialect.name != self.dialect.name]
        check_routes([*others, self.dialect])

    def test_capabilities_are_true(self) -> None:
        """What is declared is there, and what is there is declared."""
        check_capabilities(self.dialect)

    def test_a_request_without_headers_has_no_credential(self) -> None:
        """Nobody gets in without a key."""
        check_credential(self.dialect)

    def test_ids_are_unique_and_safe_in_urls(self) -> None:
        """Ids can be told apart and stand anywhere."""
        check_ids(self.dialect)

    def test_states_are_told_apart(self) -> None:
        """Every state has a word, in one field of the answer to a query."""
        check_states(self.dialect)

    def test_every_result_is_answered_as_described_and_shows_nothing_private(self) -> None:
        """Whatever the service hands over can be said."""
        check_results(self.dialect)

    def test_every_error_is_answered_as_described_and_shows_no_detail(self) -> None:
        """Whatever goes wrong can be said."""
        check_errors(self.dialect)

    def test_every_notice_is_a_message_that_shows_nothing_private(self) -> None:
        """Whatever happens to a task can be pushed."""
        check_messages(self.dialect)

    def test_every_task_can_be_told_to_a_webhook_without_showing_anything_private(self) -> None:
        """Whatever becomes of a task, a webhook is sent JSON, or nothing."""
        check_webhooks(self.dialect)

    def test_encode_is_pure(self) -> None:
        """The same task is always answered in the same way."""
        check_purity(self.dialect)

    def test_hostile_input_raises_only_task_errors(self, endpoint: Endpoint) -> None:
        """Whatever a caller sends is taken or refused."""
        check_hostile_input(self.dialect, endpoint)

    def test_the_vendors_examples_are_answered_as_the_vendor_does(self, transcript: Transcript) -> None:
        """The vendor's own page is the specification."""
        run_transcript(self.dialect, transcript)


def task_results(dialect: Dialect) -> Iterator[TaskResult]:
    """Everything that an endpoint may have to say about a task."""
    for task in tasks.every_task(dialect.mint_id):
        yield TaskResult(task)
        if task.state is State.QUEUED:
            yield TaskResult(task, position=3, eta=12.5)


def other_results(dialect: Dialect) -> Iterator[Any]:
    """Results other than a single task."""
    every = tuple(tasks.every_task(dialect.mint_id))
    yield TaskPage(every, "next-cursor")
    yield TaskPage((), None)
    yield Deleted(0)
    yield Deleted(2)
    yield tasks.input_file()
    yield tasks.input_file("video/mp4")
    account = Account("example-account", "An account", 100, 5, tasks.CREATED, 40)
    yield account
    yield from money_results()
    yield Session(dialect.mint_key(), account, opened=True)
    yield Session(dialect.mint_key(), account, opened=False)
    yield Health()
    yield from tasks.webhook_results()
    params = (Param("size", "size", "Width and height.", "64x64"), Param("seed", "integer", "Repeats a result."))
    yield tuple(
        Model(name=name, engine="example", operations=tuple(Operation), description="An example.", params=params)
        for name in ("example-model", *dialect.models)
    )
    yield ()


def check_routes(dialects: Sequence[Dialect]) -> None:
    """Every dialect has routes, and they differ inside it and between dialects at the root; so do names and mounts."""
    for dialect in dialects:
        assert dialect.endpoints, f"{dialect.name} has no endpoints: add the one that submits a task"
    assert len({dialect.name for dialect in dialects}) == len(dialects), "two dialects share a name"
    owners: dict[tuple[str, str], str] = {}
    for dialect in dialects:
        for mount in {dialect.mount, *([""] if dialect.at_root else [])}:
            for endpoint in dialect.endpoints:
                assert endpoint.path.startswith("/"), f"{dialect.name}: {endpoint.path} does not start with a slash"
                shape = (endpoint.method, PARAM.sub("{}", mount + endpoint.path))
                owner = owners.get(shape)
                assert owner is None, f"{dialect.name} and {owner} both answer {' '.join(shape)}"
                owners[shape] = dialect.name


def check_capabilities(dialect: Dialect) -> None:
    """Capabilities are known words, and those that need an answer of their own have an endpoint that gives it."""
    unknown = dialect.capabilities - CAPABILITIES.keys()
    assert not unknown, f"{dialect.name} declares {sorted(unknown)}; known are {sorted(CAPABILITIES)}"
    answered = {result for endpoint in dialect.endpoints for result in result_types(endpoint)}
    offered = {"list": TaskPage in answered, "delete": Deleted in answered, "push": bool(dialect.sockets)}
    for capability, there in offered.items():
        assert there == (capability in dialect.capabilities), (
            f"{dialect.name}: capability '{capability}' does not match its endpoints:"
            f" {'declare it' if there else 'nothing answers so'}"
        )
    if any(isinstance(plainly_asked(endpoint), Cancel) for endpoint in dialect.endpoints):
        assert "cancel" in dialect.capabilities, f"{dialect.name}: capability 'cancel' is there: declare it"
    assert any(endpoint.poll for endpoint in dialect.endpoints), (
        f"{dialect.name} has no endpoint marked `poll`: add the status query, with `poll=True`"
    )


def plainly_asked(endpoint: Endpoint) -> Command | None:
    """What a request without fields asks for, if it is taken."""
    try:
        return endpoint.decode(sample_request(endpoint))
    except Exception:  # noqa: BLE001 - another check says what `decode` may raise
        return None


def check_credential(dialect: Dialect) -> None:
    """A request without headers carries no credential."""
    for endpoint in dialect.endpoints:
        request = replace(sample_request(endpoint), headers={})
        assert dialect.credential(request) is None, f"{dialect.name} finds a credential where there is none"


def check_ids(dialect: Dialect) -> None:
    """Ids never repeat and can stand in a URL and in a file name."""
    ids = [dialect.mint_id() for _ in range(1_000)]
    assert len(set(ids)) == len(ids), f"{dialect.name} mints the same id twice"
    for minted in ids:
        assert URL_SAFE.fullmatch(minted), f"{dialect.name} mints {minted!r}, which is not safe in a URL"


def check_states(dialect: Dialect) -> None:
    """Status queries tell queued, running, succeeded and failed apart in one field, and show canceled as final."""
    for endpoint in dialect.endpoints:
        if not endpoint.poll:
            continue
        assert TaskResult in result_types(endpoint), f"{endpoint.path} is marked `poll` but answers no task"
        public_id = dialect.mint_id()
        request = sample_request(endpoint, public_id)
        single = {state: tasks.task(public_id, state, artifacts=(tasks.artifact(),)) for state in State}
        family = {state: replace(tasks.family(dialect.mint_id, state), public_id=public_id) for state in State}
        for kind, examples in (("task", single), ("parent", family)):
            seen = {state: leaves(encoded(endpoint, TaskResult(task), request)) for state, task in examples.items()}
            assert status_fields(seen), (
                f"{dialect.name} {endpoint.path}: no field of a {kind} tells its states apart: give queued, running,"
                " succeeded and failed a word each, and canceled one that says that it is over"
            )


def status_fields(seen: Mapping[State, Mapping[str, Any]]) -> list[str]:
    """The fields whose value is another one in each situation, and final for a canceled task."""
    found = []
    for name in seen[State.QUEUED]:
        values = [repr(seen[state].get(name)) for state in SITUATIONS]
        canceled = seen[State.CANCELED].get(name)
        if len(set(values)) == len(values) and canceled is not None and repr(canceled) not in values[:2]:
            found.append(name)
    return found


def check_results(dialect: Dialect) -> None:
    """Every result encodes through every endpoint that answers it, as described; nothing private shows."""
    for endpoint in dialect.endpoints:
        for result, request in exchanges(dialect, endpoint):
            response = encoded(endpoint, result, request)
            check_answer(dialect, endpoint, response)
            check_links(response)


def exchanges(dialect: Dialect, endpoint: Endpoint) -> Iterator[tuple[Any, WireRequest]]:
    """Every result that an endpoint may be given, with a request for it."""
    wanted = result_types(endpoint)
    plain = tuple(get_origin(hint) or hint for hint in wanted)
    for result in (*task_results(dialect), *other_results(dialect)):
        if isinstance(result, plain):
            public_id = result.task.public_id if isinstance(result, TaskResult) else "example_id"
            yield result, sample_request(endpoint, public_id)


def check_errors(dialect: Dialect) -> None:
    """Every code has a word at every endpoint, and the operator's detail stays inside."""
    for endpoint in dialect.endpoints:
        for code in Code:
            for param in (None, "prompt"):
                error = TaskError(code, "Say it differently.", param=param, detail=f"{SECRET}: trace", retry_after=7)
                response = refused(dialect, error, sample_request(endpoint))
                check_answer(dialect, endpoint, response, refusal=True)
                again = refused(dialect, error, sample_request(endpoint))
                assert response == again, f"{dialect.name}: encode_error answers the same error in two ways"


def check_messages(dialect: Dialect) -> None:
    """Every notice becomes messages of a WebSocket in which nothing private shows."""
    account = Account(f"{SECRET}-account", "An account", 100, 5, tasks.CREATED)
    for socket in dialect.sockets:
        request = WireRequest(method="GET", path=socket.path, base_url=BASE_URL, sign=sign)
        assert socket.credential(request) is None, f"{dialect.name} {socket.path}: a credential where there is none"
        for number, task in enumerate(tasks.every_task(dialect.mint_id), start=1):
            for message in socket.encode(Notice(number, task.state, task.attempt, task, account), request):
                assert SECRET not in message, f"{dialect.name} {socket.path} shows what is private: {message}"


def check_webhooks(dialect: Dialect) -> None:
    """Every task makes a JSON body for webhooks, or none, where nothing private shows and links lead to the server."""
    for task in tasks.every_task(dialect.mint_id):
        told = TaskEvent(task, event=event_name(task.state), at=tasks.CREATED)
        body = dialect.webhook_body(told, BASE_URL, sign)
        assert body == dialect.webhook_body(told, BASE_URL, sign), f"{dialect.name} tells one event in two ways"
        if body is not None:
            check_links(WireResponse(200, body))


def check_purity(dialect: Dialect) -> None:
    """`encode` gives the same bytes for the same arguments; a poll's answer does not depend on headers."""
    for endpoint in dialect.endpoints:
        for result, request in exchanges(dialect, endpoint):
            first = encoded(endpoint, result, request)
            assert first == encoded(endpoint, result, request), f"{endpoint.path} encodes one result in two ways"
            if endpoint.poll:
                other = replace(request, headers={"authorization": "other", "accept": "text/html", "prefer": "wait=9"})
                assert first == encoded(endpoint, result, other), f"{endpoint.path} is marked `poll` but reads headers"
