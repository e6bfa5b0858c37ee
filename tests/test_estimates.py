"""How long tasks take, as callers are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from darkroom.core.task import State
from darkroom.estimates import Estimates
from darkroom.testing.databases import NOW, new_task

WAITING = new_task(model="m")
RUNNING = replace(WAITING, state=State.RUNNING, started_at=NOW)


def taught(*seconds: float, slots: int = 1) -> Estimates:
    estimates = Estimates(slots)
    for each in seconds:
        estimates.observe("m", each)
    return estimates


def test_nothing_is_foretold_before_anything_is_known() -> None:
    estimates = taught()
    assert estimates.eta(WAITING, 5, NOW) is None
    assert estimates.retry_after(WAITING, 5, NOW) == 1


def test_other_models_teach_nothing() -> None:
    estimates = taught(10)
    assert estimates.eta(replace(WAITING, model="other"), 0, NOW) is None


@pytest.mark.parametrize(("slots", "ahead", "eta"), [(1, 0, 10), (1, 1, 20), (4, 0, 10), (4, 3, 10), (4, 4, 20)])
def test_a_waiting_task_takes_its_turns(slots: int, ahead: int, eta: float) -> None:
    assert taught(10, slots=slots).eta(WAITING, ahead, NOW) == eta


def test_a_running_task_takes_what_is_left_of_its_time() -> None:
    estimates = taught(10)
    assert estimates.eta(RUNNING, 0, NOW + 4_000) == 6
    assert estimates.eta(RUNNING, 0, NOW + 14_000) == 0


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
def test_a_finished_task_takes_no_time(state: State) -> None:
    assert taught(10).eta(replace(RUNNING, state=state), 0, NOW) is None


def test_newer_runs_count_more_and_one_alone_does_not_decide() -> None:
    eta = taught(10, 20).eta(WAITING, 0, NOW)
    assert eta == 12
    later = taught(10, *([20] * 30)).eta(WAITING, 0, NOW)
    assert later
    assert later > 19


@pytest.mark.parametrize(("seconds", "advice"), [(0.01, 1), (1, 1), (10, 8), (1_000, 30)])
def test_the_next_poll_is_advised_for_when_it_is_worth_while(seconds: float, advice: int) -> None:
    assert taught(seconds).retry_after(WAITING, 0, NOW) == advice


def test_a_worker_without_slots_can_be_asked_too() -> None:
    assert taught(10, slots=0).eta(WAITING, 1, NOW) == 20
