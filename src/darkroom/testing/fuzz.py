"""Requests made from a dialect's own OpenAPI document, sent to a running server: every answer keeps to the document.

Half of the requests are such as the document allows, half such as it forbids. Most carry a key, many the ids of real
tasks. A finding is an answer of 5xx, with a status, a content type or a body that the document does not name, or none
at all. It needs `schemathesis` (extra `testing`).
"""

from __future__ import annotations

import json
import random
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi import checks as openapi

from .server import Darkroom

CHECKS = [
    not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
]
PATIENCE = 90  # seconds within which an answer comes: a request may ask to be held for 55
MOSTLY = 0.9  # of the requests carry a key
REMEMBERED = 40  # ids of the last answers
OTHERS = 1_000_000  # from the seed of one round to that of the next
NAMES_OF_IDS = ("id", "ids", "name", "number")


@dataclass
class Finding:
    """Answers that break the document in one way: how often, and the first of them."""

    operation: str
    title: str
    example: str
    count: int = 0

    def __str__(self) -> str:
        return f"{self.operation}: {self.title} ({self.count} x)\n{self.example}"


@dataclass
class Fuzzed:
    """What a run did: requests for each operation, answers for each status, and what broke the document."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def add(self, operation: str, title: str, example: str) -> None:
        """Count a finding; the first of its kind is kept."""
        found = self.findings.setdefault((operation, title), Finding(operation, title, example))
        found.count += 1


def fuzz(server: Darkroom, mount: str, cases: int, number: int = 0, rounds: int = 100) -> Fuzzed:
    """Send `cases` requests to the dialect at `mount`, or a few more; `number` makes other ones.

    They are spread over its operations. What an operation lacks that can be asked in few ways alone, the others get in
    further `rounds`.
    """
    with requests.Session() as session:
        session.trust_env = False
        raw = session.get(f"{server.address}{mount}/openapi.json", timeout=PATIENCE).json()
        found: list[Any] = [each.ok() for each in from_dict(raw).get_all_operations() if isinstance(each, Ok)]
        operations = [operation for operation in found if not is_stream(raw, operation)]
        attack = Attack(server, mount, session, random.Random(number))  # noqa: S311 - to be repeated, not secret
        ways = [(operation, mode) for operation in operations for mode in GenerationMode]
        sent = attack.fuzzed.requests
        while ways and rounds and (missing := cases - sent.total()) > 0:
            rounds -= 1
            share = -(-missing // len(ways))
            ways = [
                (operation, mode) for operation, mode in ways if attack.run(operation, mode, share, number) == share
            ]
            number += OTHERS
    return attack.fuzzed


def is_stream(raw: dict[str, Any], operation: Any) -> bool:
    """Whether an operation answers events: such an answer need not end."""
    answers = raw["paths"][operation.path][operation.method.lower()]["responses"].values()
    return any("text/event-stream" in answer.get("content", {}) and len(answer["content"]) == 1 for answer in answers)


class Attack:
    """The requests of one run. `ids` are those that the last answers named."""

    def __init__(self, server: Darkroom, mount: str, session: requests.Session, chance: random.Random) -> None:
        self.fuzzed = Fuzzed()
        self._server = server
        self._mount = mount
        self._session = session
        self._chance = chance
        self._ids: deque[str] = deque(maxlen=REMEMBERED)

    def run(self, operation: Any, mode: GenerationMode, cases: int, number: int) -> int:
        """Send requests of one kind to one operation, all different; how many there were of those that were wanted."""
        self._make_tasks()
        before = self.fuzzed.requests.total()

        @seed(number)
        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(mode))
        def send(case: schemathesis.Case[Any]) -> None:
            self._send(case)

        with suppress(Unsatisfiable):  # an operation without a parameter can be asked in one way alone
            send()
        return self.fuzzed.requests.total() - before

    def _make_tasks(self) -> None:
        """A task that succeeds and one that fails, for requests that name a task."""
        for prompt in ("a lake", "fake:fail"):
            body = json.dumps({"operation": "image.generate", "params": {"prompt": prompt}})
            headers = {"Authorization": self._server.key}
            answer = self._session.post(f"{self._server.address}/api/tasks", body, headers=headers, timeout=PATIENCE)
            self._ids.append(answer.json()["id"])

    def _send(self, case: schemathesis.Case[Any]) -> None:
        label = case.operation.label
        self._name_what_there_is(case)
        headers = {"Authorization": self._server.key} if self._chance.random() < MOSTLY else {}
        self.fuzzed.requests[label] += 1
        try:
            response = case.call(self._server.address + self._mount, self._session, headers, timeout=PATIENCE)
        except requests.RequestException as error:
            self.fuzzed.add(label, f"no answer: {type(error).__name__}", case.as_curl_command())
            return
        self.fuzzed.statuses[response.status_code] += 1
        self._remember(response)
        try:
            case.validate_response(response, checks=CHECKS)
        except BaseExceptionGroup as group:
            for failure in failures(group):
                self.fuzzed.add(label, failure.title, example(case, response, failure))
        except Failure as failure:
            self.fuzzed.add(label, failure.title, example(case, response, failure))

    def _name_what_there_is(self, case: schemathesis.Case[Any]) -> None:
        """Put ids of things that there are into every second place for an id."""
        for values in (case.path_parameters, case.query, case.body):
            if isinstance(values, dict):
                for name, value in values.items():
                    if name.lower().endswith(NAMES_OF_IDS) and self._chance.random() < 0.5:
                        known = self._chance.choice(self._ids)
                        values[name] = [known] if isinstance(value, list) else known

    def _remember(self, response: Response) -> None:
        if response.status_code < 300 and response.content[:1] in (b"{", b"["):
            self._ids.extend(ids_in(json.loads(response.content)))


def ids_in(value: Any) -> Iterator[str]:
    """Every text of an answer that is named as ids are."""
    if isinstance(value, list):
        for inner in value[:3]:
            yield from ids_in(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str | int) and inner and name.lower().endswith(NAMES_OF_IDS):
                yield str(inner)
            else:
                yield from ids_in(inner)


def failures(group: BaseExceptionGroup[BaseException]) -> Iterator[Failure]:
    """What the checks found; anything else is raised."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from failures(error)
        elif isinstance(error, Failure):
            yield error
        else:
            raise error


def example(case: schemathesis.Case[Any], response: Response, failure: Failure) -> str:
    """A request that can be pasted, the answer, and what is wrong with it."""
    return (
        f"  {case.as_curl_command()[:1500]}\n  {response.status_code} {response.text[:600]}\n  {failure.message[:900]}"
    )
