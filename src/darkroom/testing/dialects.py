"""The contract of every dialect, as plain functions that raise `AssertionError` and say what is wrong.

Run them over `darkroom.dialects.discover()`, or over the one dialect that you write:

    check_routes(dialects)        check_capabilities(dialect)    check_credential(dialect)    check_ids(dialect)
    check_states(dialect)         check_results(dialect)         check_errors(dialect)        check_purity(dialect)
    check_hostile_input(dialect, endpoint)    no request raises anything but `TaskError`; see `darkroom.testing.hostile`
    run_transcripts(dialect, folder)          the vendor's own examples; see `darkroom.testing.transcripts`
    ask(dialect, method, target, …)           a request, for the tests of one dialect

The checks learn from the annotation of `encode` which result an endpoint answers (`TaskResult`, `Deleted`, …); they
pass it every such result with a request that has an empty JSON object as body, so `encode` must not rely on more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_origin

from ..core.catalog import Model, Param
from ..core.commands import Account, Deleted, TaskPage, TaskResult
from ..core.errors import Code, TaskError
from ..core.task import Operation, State
from ..dialects import Dialect, Endpoint, WireRequest
from . import tasks
from .exchange import PARAM, ask, leaves, result_types, sample_request, valid_body
from .hostile import check_hostile_input
from .tasks import SECRET
from .transcripts import read_transcripts, run_transcript, run_transcripts

__all__ = [
    "ask",
    "check_capabilities",
    "check_credential",
    "check_errors",
    "check_hostile_input",
    "check_ids",
    "check_purity",
    "check_results",
    "check_routes",
    "check_states",
    "read_transcripts",
    "run_transcript",
    "run_transcripts",
]

CAPABILITIES = frozenset({"cancel", "webhook", "push", "sync", "children", "list", "delete"})
SITUATIONS = (State.QUEUED, State.RUNNING, State.SUCCEEDED, State.FAILED)
URL_SAFE = re.compile(r"[A-Za-z0-9_~-]{1,128}")


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
    yield Account("example-account", "An account", 100, 5, tasks.CREATED)
    params = (Param("size", "size", "Width and height.", "64x64"), Param("seed", "integer", "Repeats a result."))
    yield tuple(
        Model(name=name, engine="example", operations=tuple(Operation), description="An example.", params=params)
        for name in ("example-model", *dialect.models)
    )
    yield ()


def check_routes(dialects: Sequence[Dialect]) -> None:
    """Routes differ inside a dialect, between dialects at the root, and so do names and mounts."""
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
    unknown = dialect.capabilities - CAPABILITIES
    assert not unknown, f"{dialect.name} declares {sorted(unknown)}; known are {sorted(CAPABILITIES)}"
    answered = {result for endpoint in dialect.endpoints for result in result_types(endpoint)}
    for capability, result in (("list", TaskPage), ("delete", Deleted)):
        declared = capability in dialect.capabilities
        assert declared == (result in answered), (
            f"{dialect.name}: capability '{capability}' does not match its endpoints"
        )
    assert any(endpoint.poll for endpoint in dialect.endpoints), f"{dialect.name} has no endpoint marked `poll`"


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
            seen = {state: leaves(endpoint.encode(TaskResult(task), request)) for state, task in examples.items()}
            assert status_fields(seen), f"{dialect.name} {endpoint.path}: no field of a {kind} tells its states apart"


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
    """Every result encodes through every endpoint that answers it, and nothing private shows."""
    for endpoint in dialect.endpoints:
        for result, request in exchanges(dialect, endpoint):
            valid_body(endpoint.encode(result, request))


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
                response = dialect.encode_error(error, sample_request(endpoint))
                valid_body(response)
                again = dialect.encode_error(error, sample_request(endpoint))
                assert response == again, f"{dialect.name}: encode_error answers the same error in two ways"


def check_purity(dialect: Dialect) -> None:
    """`encode` gives the same bytes for the same arguments; a poll's answer does not depend on headers."""
    for endpoint in dialect.endpoints:
        for result, request in exchanges(dialect, endpoint):
            first = endpoint.encode(result, request)
            assert first == endpoint.encode(result, request), f"{endpoint.path} encodes one result in two ways"
            if endpoint.poll:
                other = replace(request, headers={"authorization": "other", "accept": "text/html", "prefer": "wait=9"})
                assert first == endpoint.encode(result, other), f"{endpoint.path} is marked `poll` but reads headers"
