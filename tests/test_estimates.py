"""How long tasks take, as callers are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from darkroom.core.task import State
from darkroom.estimates import Estimates, retry_after
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
    assert estimates.eta(WAITING, {"m": 5}, NOW) is None
    assert retry_after(None) == 1


def test_other_models_teach_nothing() -> None:
    estimates = taught(10)
    assert estimates.eta(replace(WAITING, model="other"), {}, NOW) is None


@pytest.mark.parametrize(("slots", "ahead", "eta"), [(1, 0, 10), (1, 1, 20), (4, 0, 10), (4, 3, 10), (4, 4, 20)])
def test_a_waiting_task_takes_its_turns(slots: int, ahead: int, eta: float) -> None:
    assert taught(10, slots=slots).eta(WAITING, {"m": ahead}, NOW) == eta


def test_a_running_task_takes_what_is_left_of_its_time() -> None:
    estimates = taught(10)
    assert estimates.eta(RUNNING, {}, NOW + 4_000) == 6
    assert estimates.eta(RUNNING, {}, NOW + 14_000) == 0


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
def test_a_finished_task_takes_no_time(state: State) -> None:
    assert taught(10).eta(replace(RUNNING, state=state), {}, NOW) is None


def test_newer_runs_count_more_and_one_alone_does_not_decide() -> None:
    eta = taught(10, 20).eta(WAITING, {}, NOW)
    assert eta == 12
    later = taught(10, *([20] * 30)).eta(WAITING, {}, NOW)
    assert later
    assert later > 19


@pytest.mark.parametrize(("seconds", "advice"), [(0.01, 1), (1, 1), (10, 8), (1_000, 30)])
def test_the_next_poll_is_advised_for_when_it_is_worth_while(seconds: float, advice: int) -> None:
    assert retry_after(taught(seconds).eta(WAITING, {}, NOW)) == advice


def test_a_worker_without_slots_can_be_asked_too() -> None:
    assert taught(10, slots=0).eta(WAITING, {"m": 1}, NOW) == 20


def test_a_waiting_task_takes_the_time_of_those_before_it_whatever_their_models() -> None:
    estimates = taught(10)
    estimates.observe("slow", 100)
    assert estimates.eta(WAITING, {"slow": 1, "m": 2}, NOW) == 100 + 2 * 10 + 10
    assert estimates.eta(WAITING, {"unknown": 2}, NOW) == 30


def test_a_run_that_takes_longer_than_others_is_judged_by_its_progress() -> None:
    late = replace(RUNNING, progress=50)
    assert taught(10).eta(late, {}, NOW + 20_000) == 20
    assert taught().eta(late, {}, NOW + 3_000) == 3
    assert taught().eta(replace(RUNNING, progress=1), {}, NOW + 3_000) is None
