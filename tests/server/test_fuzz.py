"""Requests made from each dialect's own document are answered as the document says, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import Darkroom

from darkroom.dialects import Dialect, discover
from darkroom.testing.fuzz import fuzz

CASES = 300  # scripts/fuzz.py sends as many as one likes


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    # Tasks that are asked to hang end soon: otherwise they hold up whoever asks to wait for a task behind them.
    env = {"DARKROOM_INITIAL_CREDITS": "1000000", "DARKROOM_FETCH_SECONDS": "1", "DARKROOM_TASK_HOURS": "0.003"}
    env["DARKROOM_RETRY_SECONDS"] = "0.05"
    with Darkroom(tmp_path_factory.mktemp("fuzzed"), engines="fake", env=env, flags=("--workers", "4")) as running:
        yield running


@pytest.mark.parametrize("dialect", discover(), ids=lambda dialect: dialect.name)
def test_every_answer_keeps_to_the_document(fuzzed: Darkroom, dialect: Dialect) -> None:
    done = fuzz(fuzzed, dialect.mount, CASES, rounds=1)
    assert not done.findings, "\n\n".join(map(str, done.findings.values()))
    assert "Traceback" not in fuzzed.log
    asked = {f"{endpoint.method} {endpoint.path}" for endpoint in dialect.endpoints if not endpoint.stream}
    assert done.requests.keys() == asked
    assert done.statuses[200] > 0
