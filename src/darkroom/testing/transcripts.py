"""The vendor's own examples, copied from its pages, against a dialect: exact keys, exact values.

A transcript file (`*.http`) holds examples one after another. Lines that start with `#` are comments: the address and
date of the page. An example is a `given` line, a request line, headers if any, a body without blank lines, the HTTP
status, and the expected body:

    # docs.vendor.example, copied 2026-11-20
    given   succeeded 2048x2048 image/jpeg
    POST /v1/images/infobytaskid
    {"taskid": "abcd_1234567890abcdef"}
    200
    {"code": 1000, "data": {"taskid": "abcd_1234567890abcdef", "url": ["*"]}}

In what is expected, `*` inside a text stands for any characters, `"<integer>"` for any whole number; keys must be
exactly those. A form is written urlencoded under its `Content-Type`, a multipart one too.

`given` starts with a state (`queued running succeeded failed canceled`) or with `error`. After it, in any order:
- `2048x2048` and `image/jpeg`: the results' size and media type (64x48, image/png);
- after `failed` and `error`: the code, then the message (`failed engine_failed Generation failed`);
- `children 2`: a parent with so many children, all in this state, with one result each;
- `artifacts=2`, `thumbnail=no`, `duration=2.5`: the results' number, their thumbnails, their seconds;
- `public_id= seq= progress= cost= price= count= attempt= model= operation=` and other fields of the task, and
  `extra.name= params.name= metadata.name=` (JSON, or else text); `child0.seq=1044` is the same for a child;
- `created_at= started_at= finished_at=`: Unix seconds or RFC 3339; without, a task is created at 2026-01-30 12:00:00
  UTC, started 5 s later and finished 60 s later;
- `position=` and `eta=`: the place in the queue and the seconds to wait.

A list is answered with this one task. `given models price=5` is a catalog whose one model offers every operation.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from ..core.catalog import Model
from ..core.commands import Cancel, Command, Delete, Deleted, Get, List, ListModels, Submit, TaskPage, TaskResult
from ..core.errors import Code, TaskError
from ..core.family import combine
from ..core.task import Artifact, Failure, Operation, State, Task
from ..dialects import Dialect, Endpoint, WireRequest, WireResponse
from . import tasks
from .exchange import ask, valid_body

HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):\s*(.*)")
SETTING = re.compile(r"([a-z_][a-z0-9_]*(?:\.[A-Za-z0-9_]+)*)=(.*)", re.DOTALL)
CHILD = re.compile(r"child\d+\.")
SIZE = re.compile(r"(\d+)x(\d+)")
MEDIA_TYPE = re.compile(r"(?:image|video)/[\w.+-]+")
TIMES = frozenset({"created_at", "started_at", "finished_at"})
NUMBERS = frozenset({"seq", "progress", "cost", "price", "count", "attempt", "failures", "priority", "version"})
TEXTS = frozenset({"public_id", "model", "dialect", "engine"})
MAPPINGS = frozenset({"extra", "params", "metadata"})
OF_RESULT = frozenset({"artifacts", "thumbnail", "duration", "position", "eta"})


@dataclass(frozen=True, slots=True)
class Transcript:
    """One example of a vendor. `place` is its file and line."""

    place: str
    given: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: str
    status: int
    expected: Any


@dataclass(frozen=True, slots=True)
class Given:
    """What a `given` line says: words in their order, and settings by name."""

    words: tuple[str, ...]
    settings: Mapping[str, str]
    children: int


def run_transcripts(dialect: Dialect, folder: Path) -> int:
    """Run every example under `folder`; returns how many there were."""
    found = read_transcripts(folder)
    for transcript in found:
        run_transcript(dialect, transcript)
    return len(found)


def read_transcripts(folder: Path) -> list[Transcript]:
    """The examples of every `*.http` file in a folder."""
    return [transcript for path in sorted(folder.glob("*.http")) for transcript in read_file(path)]


def read_file(path: Path) -> list[Transcript]:
    """The examples of one file."""
    examples: list[list[str]] = []
    starts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("given "):
            examples.append([])
            starts.append(number)
        if not examples:
            raise ValueError(f"{path.name}:{number}: an example starts with a `given` line")
        examples[-1].append(line.strip())
    return [read_example(f"{path.name}:{start}", lines) for start, lines in zip(starts, examples, strict=True)]


def read_example(place: str, lines: list[str]) -> Transcript:
    """One example from its lines."""
    given, request, *rest = lines
    method, target = request.split(maxsplit=1)
    ends = [number for number, line in enumerate(rest) if re.fullmatch(r"[1-5]\d\d", line)]
    if not ends:
        raise ValueError(f"{place}: there is no HTTP status on a line of its own")
    headers, body = {}, rest[: ends[0]]
    while body and (header := HEADER.fullmatch(body[0])):
        headers[header[1].lower()] = header[2]
        body = body[1:]
    expected = "\n".join(rest[ends[0] + 1 :])
    return Transcript(
        place=place,
        given=given.removeprefix("given").strip(),
        method=method,
        target=target,
        headers=headers,
        body="\n".join(body),
        status=int(rest[ends[0]]),
        expected=json.loads(expected) if expected else None,
    )


def run_transcript(dialect: Dialect, transcript: Transcript) -> None:
    """The dialect takes the vendor's request and answers as the vendor does, or an `AssertionError` says where."""
    is_form = "form" in transcript.headers.get("content-type", "")
    endpoint, request = ask(
        dialect,
        transcript.method,
        transcript.target,
        body=b"" if is_form else transcript.body.encode(),
        form=parse_qsl(transcript.body, keep_blank_values=True) if is_form else (),
        headers=transcript.headers,
    )
    response = respond(dialect, endpoint, request, transcript)
    actual = valid_body(response)
    found = differences(transcript.expected, actual, "body")
    if response.status != transcript.status:
        found.insert(0, f"HTTP status is {response.status}, not {transcript.status}")
    assert not found, "\n".join([f"{dialect.name} {transcript.place}: {transcript.given}", *found, json.dumps(actual)])


def respond(dialect: Dialect, endpoint: Endpoint, request: WireRequest, transcript: Transcript) -> WireResponse:
    """Decode the request, stand in for the service as `given` says, and encode."""
    given = read_given(transcript.given)
    refusal = given_error(given) if given.words[0] == "error" else None
    command: Command | TaskError
    try:
        command = endpoint.decode(request)
    except TaskError as error:
        command = error
    if isinstance(command, TaskError):
        expected = refusal.code if refusal else "taken"
        assert command.code == expected, f"{transcript.place}: {command.code} ({command.message}), not {expected}"
        return dialect.encode_error(command, request)
    if refusal:
        return dialect.encode_error(refusal, request)
    if isinstance(command, Delete):
        return endpoint.encode(Deleted(len(command.task_ids)), request)
    if isinstance(command, ListModels):
        return endpoint.encode(given_models(given), request)
    public_id = given.settings.get("public_id") or dialect.mint_id()
    if isinstance(command, List):
        return endpoint.encode(TaskPage((given_result(given, public_id, dialect).task,), None), request)
    if not isinstance(command, Submit):
        public_id = asked_id(command, given, transcript)
    return endpoint.encode(given_result(given, public_id, dialect), request)


def asked_id(command: Command, given: Given, transcript: Transcript) -> str:
    """The task that the vendor's request asks for."""
    assert isinstance(command, Get | Cancel), f"{transcript.place}: {command} is not about one task"
    request = f"{transcript.target}\n{transcript.body}"
    assert command.task_id in request, f"{transcript.place}: {command.task_id!r} is not in the request"
    wanted = given.settings.get("public_id", command.task_id)
    assert command.task_id == wanted, f"{transcript.place}: asks for task {command.task_id!r}, not {wanted!r}"
    return command.task_id


def read_given(text: str) -> Given:
    """A `given` line taken apart."""
    words, settings, children = [], {}, 0
    tokens = iter(shlex.split(text))
    for token in tokens:
        if setting := SETTING.fullmatch(token):
            settings[setting[1]] = setting[2]
        elif token == "children":  # noqa: S105 - a word of the transcript
            children = int(next(tokens))
        else:
            words.append(token)
    return Given(tuple(words), settings, children)


def given_error(given: Given) -> TaskError:
    """The refusal that a `given error` line describes."""
    return TaskError(Code(given.words[1]), " ".join(given.words[2:]), detail=f"{tasks.SECRET}: trace")


def given_models(given: Given) -> tuple[Model, ...]:
    """The catalog that a `given models` line describes."""
    assert given.words == ("models",), f"{given.words} is no catalog: write `given models price=5`"
    price = int(given.settings.get("price", "1"))
    model = Model(name="example", engine="example", operations=tuple(Operation), description="An example.", price=price)
    return (model,)


def given_result(given: Given, public_id: str, dialect: Dialect) -> TaskResult:
    """The task that a `given` line describes, as the service would answer it."""
    state, words, failure = State(given.words[0]), given.words[1:], None
    if state is State.FAILED:
        failure = tasks.failure(Code(words[0]), " ".join(words[1:]))
        words = ()
    results = given_artifacts(words, given.settings)
    task = given_task(public_id, state, results, failure)
    if given.children:
        children = (
            given_task(dialect.mint_id(), state, results[:1], failure, seq=task.seq + index)
            for index in range(given.children)
        )
        task = combine(task, tuple(changed(child, of_child(given, index)) for index, child in enumerate(children)))
    of_task = {name: text for name, text in given.settings.items() if name not in OF_RESULT and not CHILD.match(name)}
    position, eta = given.settings.get("position"), given.settings.get("eta")
    return TaskResult(changed(task, of_task), int(position) if position else None, float(eta) if eta else None)


def of_child(given: Given, index: int) -> dict[str, str]:
    """The settings of one child."""
    prefix = f"child{index}."
    return {name.removeprefix(prefix): text for name, text in given.settings.items() if name.startswith(prefix)}


def given_task(
    public_id: str, state: State, results: tuple[Artifact, ...], failure: Failure | None, seq: int = 1
) -> Task:
    """An example task with this outcome."""
    task = tasks.task(public_id, state, artifacts=results, seq=seq)
    return replace(task, failure=failure) if failure else task


def given_artifacts(words: tuple[str, ...], settings: Mapping[str, str]) -> tuple[Artifact, ...]:
    """The results that a `given` line describes."""
    width, height, media_type = 64, 48, "image/png"
    for word in words:
        if size := SIZE.fullmatch(word):
            width, height = int(size[1]), int(size[2])
        elif MEDIA_TYPE.fullmatch(word):
            media_type = word
        else:
            raise ValueError(f"{word!r} means nothing in a `given` line")
    duration = float(settings["duration"]) if "duration" in settings else None
    found = (
        tasks.artifact(index, media_type, width, height, duration) for index in range(int(settings.get("artifacts", 1)))
    )
    if settings.get("thumbnail") == "no":
        return tuple(replace(result, thumbnail_key=None) for result in found)
    return tuple(found)


def changed(task: Task, settings: Mapping[str, str]) -> Task:
    """The task with fields set as a `given` line says."""
    values: dict[str, Any] = {}
    for name, text in settings.items():
        field, _, key = name.partition(".")
        if field in MAPPINGS and key:
            values[field] = {**values.get(field, getattr(task, field)), key: plain(text)}
        elif name in TIMES:
            values[name] = milliseconds(text)
        elif name in NUMBERS:
            values[name] = int(text)
        elif name in TEXTS:
            values[name] = text
        elif name == "operation":
            values[name] = Operation(text)
        else:
            known = ", ".join(item.name for item in fields(Task))
            raise ValueError(f"{name!r} cannot be set in a `given` line; a task has: {known}")
    return replace(task, **values)


def plain(text: str) -> Any:
    """JSON, or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def milliseconds(text: str) -> int:
    """UTC milliseconds from Unix seconds or RFC 3339."""
    return int(text) * 1000 if text.isdigit() else int(datetime.fromisoformat(text).timestamp() * 1000)


def differences(expected: Any, actual: Any, place: str) -> list[str]:
    """Where an answer is not what the vendor's page shows."""
    if expected == "<integer>" and type(actual) is int:
        return []
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = [f"{place}.{name} is missing" for name in expected.keys() - actual.keys()]
        found += [f"{place}.{name} is not on the vendor's page" for name in actual.keys() - expected.keys()]
        for name in expected.keys() & actual.keys():
            found += differences(expected[name], actual[name], f"{place}.{name}")
        return sorted(found)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (left, right) in pairs for line in differences(left, right, f"{place}[{index}]")]
    if isinstance(expected, str) and isinstance(actual, str):
        pattern = ".*".join(re.escape(piece) for piece in expected.split("*"))
        same = re.fullmatch(pattern, actual, re.DOTALL) is not None
    else:
        same = type(expected) is type(actual) and expected == actual
    return [] if same else [f"{place} is {actual!r}, not {expected!r}"]
