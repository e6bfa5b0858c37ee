"""The operator's log: one line of JSON for each event, whatever is in it."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from darkroom.config import Settings
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import State
from darkroom.log import AT_MOST, Event, Output, configure, write, write_failure, write_outcome
from darkroom.testing.tasks import task

Lines = Callable[[], list[dict[str, Any]]]

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """The log as a server configures it; what was written, line by line."""
    root, own = logging.getLogger(), logging.getLogger("darkroom")
    handlers, level, own_level = root.handlers[:], root.level, own.level
    written = StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(Output, "lines", None)
    configure("info")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    own.setLevel(own_level)


def test_an_event_is_one_line_with_its_name_level_time_and_fields(lines: Lines) -> None:
    write(Event.TASK_CLAIMED, task="t", attempt=2, engine="fake", model=None)
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {"event": "task.claimed", "level": "info", "task": "t", "attempt": 2, "engine": "fake"}


@pytest.mark.parametrize(
    "value",
    [
        "two\nlines",
        "half \ud83d of a pair",
        "\x00\x1b[31m",
        "山间湖泊",
        "\u2028",
        2**70,
        {1},
        Path("/x"),
        b"\xff",
    ],
    ids=ascii,
)
def test_whatever_a_field_holds_the_line_is_json(lines: Lines, value: object) -> None:
    write(Event.REQUEST_FAILED, reason=value)
    (line,) = lines()
    assert line["event"] == "request.failed"
    assert line["reason"] == (value if isinstance(value, (str, int)) else str(value))


def test_a_bug_is_logged_with_its_trace_on_the_same_line(lines: Lines) -> None:
    try:
        raise ValueError("4711")
    except ValueError as bug:
        write(Event.REQUEST_FAILED, level=logging.ERROR, error=bug)
    (line,) = lines()
    assert line["level"] == "error"
    assert "ValueError: 4711" in line["trace"]
    assert "test_log.py" in line["trace"]


def test_what_libraries_log_has_the_same_form(lines: Lines) -> None:
    logging.getLogger("asyncio").error("Task %s was destroyed", "x")
    (line,) = lines()
    assert (line["event"], line["logger"]) == ("Task x was destroyed", "asyncio")


def test_libraries_are_quiet_unless_they_warn(lines: Lines) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET https://example.com?token=1")
    assert lines() == []


async def test_lines_of_one_turn_are_written_together_and_a_warning_at_once(lines: Lines) -> None:
    for name in "ab":
        write(Event.TASK_SUBMITTED, task=name)
    assert lines() == []
    await asyncio.sleep(0)
    assert [line["task"] for line in lines()] == ["a", "b"]
    write(Event.TASK_SUBMITTED, task="c")
    write(Event.TASK_LOST, level=logging.WARNING, task="d")
    assert [line["task"] for line in lines()] == ["a", "b", "c", "d"]


async def test_a_turn_without_end_is_written_all_the_same(lines: Lines) -> None:
    for _ in range(AT_MOST + 1):
        write(Event.TASK_SUBMITTED, task="t")
    assert len(lines()) == AT_MOST


async def test_what_a_thread_logs_waits_for_no_loop(lines: Lines) -> None:
    await asyncio.to_thread(write, Event.TASK_SUBMITTED, task="t")
    (line,) = lines()
    assert line["task"] == "t"


def test_a_log_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        configure("info")
        write(Event.TASK_LOST, level=logging.WARNING, task="t")
        with suppress(OSError):
            full.close()
    assert lines() == []


@pytest.mark.usefixtures("lines")
def test_the_level_decides_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure("warning")
    write(Event.TASK_SUBMITTED, task="t")
    write(Event.TASK_LOST, level=logging.WARNING, task="t")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "task.lost"


@pytest.mark.parametrize(
    ("state", "error", "event"),
    [
        (State.SUCCEEDED, None, "task.succeeded"),
        (State.FAILED, TaskError(Code.ENGINE_FAILED, "Broken.", detail="disk"), "task.failed"),
        (State.QUEUED, TaskError(Code.ENGINE_FAILED, "Broken.", detail="disk"), "task.retried"),
        (State.QUEUED, None, "task.released"),
        (State.CANCELED, None, "task.canceled"),
    ],
)
def test_each_end_of_an_attempt_has_its_event(lines: Lines, state: State, error: TaskError | None, event: str) -> None:
    write_outcome(task("t", state), error, 1.23456)
    (line,) = lines()
    assert (line["event"], line["seconds"]) == (event, 1.235)
    known = {name: line.get(name) for name in ("code", "reason", "detail")}
    assert known == (
        {"code": "engine_failed", "reason": "Broken.", "detail": "disk"} if error else dict.fromkeys(known)
    )


def test_a_loop_that_fails_as_expected_warns_and_a_bug_has_its_trace(lines: Lines) -> None:
    write_failure("claim", TaskError(Code.UNAVAILABLE, "Try again later.", detail="SQLite: disk I/O error"))
    write_failure("claim", ValueError("4711"))
    expected, bug = lines()
    assert (expected["level"], expected["reason"]) == ("warning", "SQLite: disk I/O error")
    assert "trace" not in expected
    assert (bug["level"], bug["loop"]) == ("error", "claim")
    assert "4711" in bug["trace"]


# ---- docs/operations.md


def rows(heading: str) -> dict[str, list[str]]:
    """The table under a heading: cells by what the first one names."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    return {first.strip("`"): rest for first, *rest in cells}


def written() -> dict[str, set[str]]:
    """Fields of each event, as the code writes them."""
    found: dict[str, set[str]] = {event.name: set() for event in Event}
    for path in (ROOT / "src" / "darkroom").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "write"):
                continue
            names = {keyword.arg for keyword in node.keywords if keyword.arg} - {"level", "error"}
            names |= {"trace"} if any(keyword.arg == "error" for keyword in node.keywords) else set()
            for event in ast.walk(node.args[0]):
                if isinstance(event, ast.Attribute) and event.attr in found:
                    found[event.attr] |= names
            if isinstance(node.args[0], ast.Call):  # the outcome of an attempt, by the task's state
                for event_name in ("TASK_SUCCEEDED", "TASK_FAILED", "TASK_CANCELED"):
                    found[event_name] |= names
    return found


def test_every_event_is_documented_with_its_fields() -> None:
    documented = {name: set(re.findall(r"`(\w+)`", cells[-1])) for name, cells in rows("Log").items()}
    assert set(documented) == {event.value for event in Event}
    for name, names in written().items():
        assert documented[Event[name].value] == names, name


def test_every_event_is_written_somewhere() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src" / "darkroom").rglob("*.py"))
    assert [event for event in Event if f"Event.{event.name}" not in source] == []


def test_every_setting_is_documented_with_its_default() -> None:
    documented = rows("Settings")
    assert list(documented) == [each.name for each in fields(Settings)]
    for each in fields(Settings):
        value = getattr(Settings(), each.name)
        shown = json.dumps(list(value)) if isinstance(value, tuple) else json.dumps(value)
        assert documented[each.name][0] == f"`{shown}`", each.name


def test_every_error_code_is_documented() -> None:
    assert list(rows("Error codes")) == [code.value for code in Code]
