"""Random lives of a task: what must hold whatever happens to it, in whatever order."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.core import ledger
from darkroom.core.errors import Code, TaskError
from darkroom.core.ledger import Entry, EntryKind
from darkroom.core.machine import Change, Policy, after_failure, backoff, decide
from darkroom.core.task import FINAL, TRANSITIONS, State, Task, Trigger
from darkroom.testing.databases import NOW, new_artifact, new_task

POLICY = Policy()
LOST = TaskError(Code.WORKER_LOST, "The worker that ran this task was lost.", retryable=True)
BROKEN = TaskError(Code.ENGINE_FAILED, "The engine could not draw this.", detail="stack trace", retryable=True)

errors = st.sampled_from([None, LOST, BROKEN, TaskError(Code.CONTENT_REJECTED, "Ask for something else.")])
artifacts = st.integers(0, 5).map(lambda count: tuple(new_artifact() for _ in range(count)))
steps = st.lists(st.tuples(st.sampled_from(Trigger), errors, artifacts), max_size=30)
new_tasks = st.builds(new_task, price=st.integers(0, 1_000), count=st.integers(1, 4))


def carried(task: Task, change: Change) -> Task:
    """The task after a change, as the store writes it."""
    return replace(
        task,
        state=change.state,
        failures=change.failures,
        run_at=change.run_at,
        cost=change.cost,
        failure=change.failure,
        artifacts=change.artifacts,
        checkpoint=change.checkpoint,
    )


def life(
    task: Task, steps: list[tuple[Trigger, TaskError | None, tuple]]
) -> tuple[list[tuple[Trigger, Task]], list[Entry]]:
    """Every state of a task that goes through `steps`, and its ledger."""
    history, entries = [(Trigger.RELEASE, task)], list(ledger.hold(task.price))
    for trigger, error, results in steps:
        if trigger is Trigger.CLAIM:
            state = TRANSITIONS.get((task.state, trigger))
            after = replace(task, state=state, attempt=task.attempt + 1) if state else task
        else:
            change = decide(task, trigger, now=NOW, policy=POLICY, error=error, artifacts=results)
            after = carried(task, change) if change else task
            entries += ledger.settle(change.price, change.cost) if change else ()
        task = after
        history.append((trigger, task))
    return history, entries


@given(new_tasks, steps)
def test_a_final_state_is_never_left(task, steps):
    history, _ = life(task, steps)
    for (_, before), (_, after) in itertools.pairwise(history):
        assert after == before or before.state not in FINAL


@given(new_tasks, steps)
def test_attempts_and_failures_never_fall(task, steps):
    history, _ = life(task, steps)
    for (_, before), (_, after) in itertools.pairwise(history):
        assert before.attempt <= after.attempt <= before.attempt + 1
        assert before.failures <= after.failures <= before.failures + 1


@given(new_tasks, steps)
def test_a_claim_is_the_only_thing_that_begins_an_attempt(task, steps):
    history, _ = life(task, steps)
    for (_, before), (trigger, after) in itertools.pairwise(history):
        if after.attempt > before.attempt:
            assert (trigger, before.state, after.state) == (Trigger.CLAIM, State.QUEUED, State.RUNNING)


@given(new_tasks, steps)
def test_a_released_or_canceled_task_has_not_failed(task, steps):
    history, _ = life(task, steps)
    for (_, before), (trigger, after) in itertools.pairwise(history):
        if trigger in (Trigger.RELEASE, Trigger.CANCEL, Trigger.COMPLETE):
            assert after.failures == before.failures


@given(new_tasks, steps)
def test_money_is_neither_made_nor_lost(task, steps):
    history, entries = life(task, steps)
    last = history[-1][1]
    available, held = sum(entry.available for entry in entries), sum(entry.held for entry in entries)
    if last.state.final:
        assert (available, held) == (-last.cost, 0)
        assert 0 <= last.cost <= last.price
    else:
        assert (available, held) == (-last.price, last.price)
    if last.state is not State.SUCCEEDED:
        assert last.cost == 0


@given(new_tasks, steps)
def test_the_ledger_has_at_most_one_entry_of_each_kind(task, steps):
    _, entries = life(task, steps)
    kinds = [entry.kind for entry in entries]
    assert len(kinds) == len(set(kinds))
    assert set(kinds) <= {EntryKind.HOLD, EntryKind.CAPTURE, EntryKind.RELEASE}


@given(new_tasks, st.integers(0, 6), st.integers(0, 10))
def test_results_that_are_missing_are_not_paid(task, delivered, more):
    running = replace(task, state=State.RUNNING, attempt=1)
    fewer = decide(running, Trigger.COMPLETE, now=NOW, policy=POLICY, artifacts=(new_artifact(),) * delivered)
    whole = decide(running, Trigger.COMPLETE, now=NOW, policy=POLICY, artifacts=(new_artifact(),) * (task.count + more))
    assert fewer.cost <= whole.cost == task.price
    assert fewer.cost * task.count <= task.price * delivered


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("trigger", Trigger)
@given(errors, artifacts, st.integers(0, 10_000), st.integers(0, 100))
def test_every_trigger_in_every_state_has_an_answer(state, trigger, error, results, failures, attempt):
    task = new_task(state=state, failures=failures, attempt=attempt, price=7, count=2)
    change = decide(task, trigger, now=NOW, policy=POLICY, error=error, artifacts=results)
    wanted = None if trigger is Trigger.CLAIM else TRANSITIONS.get((state, trigger))
    assert (change.state if change else None) is wanted
    if change:
        assert (change.expect, change.attempt, change.final) == (state, attempt, wanted in FINAL)
        assert bool(change.artifacts) <= (wanted is State.SUCCEEDED)
        assert change.run_at >= NOW


@given(st.integers(1, 10))
def test_a_task_that_always_fails_is_given_up_after_max_failures(max_failures):
    policy = Policy(max_failures=max_failures)
    task, runs = new_task(), 0
    while not task.state.final:
        task = replace(task, state=State.RUNNING, attempt=task.attempt + 1)
        runs += 1
        trigger = after_failure(task, BROKEN, policy)
        task = carried(task, decide(task, trigger, now=NOW, policy=policy, error=BROKEN))
    assert (task.state, task.failures, runs) == (State.FAILED, max_failures, max_failures)
    assert task.failure.code is Code.ENGINE_FAILED


def test_an_error_that_is_not_retryable_is_not_tried_again():
    rejected = TaskError(Code.CONTENT_REJECTED, "Ask for something else.")
    assert after_failure(new_task(state=State.RUNNING), rejected, POLICY) is Trigger.FAIL


@given(st.integers(0, 1_000_000), st.integers(1, 10_000), st.integers(1, 10_000_000))
def test_the_backoff_grows_up_to_its_limit(failures, first, limit):
    policy = Policy(backoff=first, backoff_limit=limit)
    assert 0 < backoff(failures, policy) <= backoff(failures + 1, policy) <= limit
    assert backoff(1, policy) == min(first, limit)
    assert backoff(40, policy) == limit


@pytest.mark.parametrize(
    ("trigger", "error", "kept"),
    [(Trigger.RELEASE, None, True), (Trigger.RETRY, LOST, True), (Trigger.RETRY, BROKEN, False)],
)
def test_a_checkpoint_outlives_a_lost_worker_but_not_a_failed_engine(trigger, error, kept):
    task = new_task(state=State.RUNNING, attempt=1, checkpoint="upstream-1")
    change = decide(task, trigger, now=NOW, policy=POLICY, error=error)
    assert change.checkpoint == ("upstream-1" if kept else None)


def test_a_retry_waits_and_tells_why():
    task = new_task(state=State.RUNNING, attempt=1, failures=2)
    change = decide(task, Trigger.RETRY, now=NOW, policy=POLICY, error=BROKEN)
    assert (change.run_at, change.failures) == (NOW + 4_000, 3)
    assert (change.failure.code, change.failure.detail) == (Code.ENGINE_FAILED, "stack trace")


def test_a_canceled_task_says_so():
    change = decide(new_task(), Trigger.CANCEL, now=NOW, policy=POLICY)
    assert change.failure.code is Code.CANCELED
