"""Two nodes want the same at the same moment: exactly one wins, and the books agree."""

from __future__ import annotations

import asyncio

import pytest
from lives import POLICY, claimed, moved

from darkroom.core.errors import Code, TaskError
from darkroom.core.machine import decide
from darkroom.core.task import State, Trigger
from darkroom.store import Store, Verdict
from darkroom.testing.databases import ENGINE, LEASE, NOW, check_sums, new_artifact, new_family, new_task

LOST = TaskError(Code.WORKER_LOST, "The worker that ran this task was lost.", retryable=True)
ROUNDS = 30


@pytest.fixture
async def nodes(database_url):
    stores = await asyncio.gather(Store.open(database_url), Store.open(database_url))
    yield stores
    await asyncio.gather(*(store.close() for store in stores))


async def both(first, second, turn: int):
    """Two calls at once, handed over in turns, so that neither is always first."""
    if turn % 2:
        return await asyncio.gather(first, second)
    return (await asyncio.gather(second, first))[::-1]


@pytest.mark.parametrize("rival", [Trigger.RETRY, Trigger.CANCEL, Trigger.FAIL, Trigger.RELEASE])
async def test_a_late_finish_and_its_rival_have_exactly_one_winner(nodes, rival):
    worker, janitor = nodes
    account = await worker.add_account("caller", 1_000, NOW)
    wins = {True: 0, False: 0}
    for turn in range(ROUNDS):
        await worker.submit((new_task(account.id, price=2),))
        (running,) = await claimed(worker, now=NOW + turn * 10**6)
        finish = decide(running, Trigger.COMPLETE, now=NOW, policy=POLICY, artifacts=(new_artifact(),))
        other = decide(running, rival, now=NOW, policy=POLICY, error=LOST)
        finished, ended = await both(worker.apply(finish), janitor.apply(other), turn)
        assert (finished is None) != (ended is None)
        winner = finished or ended
        kept = await janitor.task(running.public_id)
        assert (kept.state, kept.version, kept.cost) == (winner.state, winner.version, 2 if finished else 0)
        assert len(await worker.events(running.id)) == 3
        wins[finished is not None] += 1
        if not kept.state.final:
            await moved(worker, kept, Trigger.CANCEL)
    await check_sums(worker)
    assert sum(wins.values()) == ROUNDS


async def test_a_heartbeat_and_an_expiry_never_leave_two_owners(nodes):
    worker, janitor = nodes
    for turn in range(ROUNDS):
        await worker.submit((new_task(),))
        (running,) = await claimed(worker, now=NOW + turn)
        expiry = decide(running, Trigger.FAIL, now=NOW + LEASE, policy=POLICY, error=LOST)
        verdict, ended = await both(worker.heartbeat(running, NOW + LEASE, LEASE), janitor.apply(expiry), turn)
        assert ended.state is State.FAILED
        assert await worker.heartbeat(running, NOW + LEASE, LEASE) is Verdict.LOST
        assert verdict in (Verdict.CONTINUE, Verdict.LOST)


async def test_a_claim_and_a_cancel_have_exactly_one_winner(nodes):
    worker, caller = nodes
    for turn in range(ROUNDS):
        made = await caller.submit((new_task(),))
        cancel = decide(await caller.task(made.public_id), Trigger.CANCEL, now=NOW, policy=POLICY)
        tasks, canceled = await both(worker.claim("worker", (ENGINE,), 1, NOW, LEASE), caller.apply(cancel), turn)
        assert bool(tasks) != (canceled is not None)
        kept = await caller.task(made.public_id)
        assert kept.state is (State.RUNNING if tasks else State.CANCELED)


async def test_two_last_children_that_end_together_end_their_parent_once(nodes):
    account = await nodes[0].add_account("caller", 1_000, NOW)
    for turn in range(ROUNDS):
        family = new_family(account.id, parts=2, price=1)
        await nodes[0].submit(family)
        first, second = await claimed(nodes[0], limit=2)
        await both(moved(nodes[0], first, Trigger.COMPLETE), moved(nodes[1], second, Trigger.COMPLETE), turn)
        events = await nodes[0].events(family[0].id)
        assert [state for _, state, _, _ in events] == [State.QUEUED, State.RUNNING, State.SUCCEEDED]
        parent = await nodes[1].task(family[0].public_id)
        assert (parent.state, parent.cost, len(parent.artifacts)) == (State.SUCCEEDED, 2, 2)
    await check_sums(nodes[0])


async def test_two_first_children_that_start_together_start_their_parent_once(nodes):
    for turn in range(ROUNDS):
        family = new_family(parts=2)
        await nodes[0].submit(family)
        shares = await both(*(node.claim("worker", (ENGINE,), 1, NOW, LEASE) for node in nodes), turn)
        missed = await nodes[0].claim("worker", (ENGINE,), 2, NOW, LEASE)
        assert len([*shares[0], *shares[1], *missed]) == 2
        events = await nodes[0].events(family[0].id)
        assert [state for _, state, _, _ in events] == [State.QUEUED, State.RUNNING]


async def test_a_family_that_is_deleted_while_it_is_read_is_whole_or_gone(nodes):
    for _ in range(ROUNDS):
        family = new_family(parts=2)
        await nodes[0].submit(family)
        for task in await claimed(nodes[0], limit=2):
            await moved(nodes[0], task, Trigger.COMPLETE)
        whole = await nodes[0].task(family[0].public_id)
        reads = [nodes[1].task(family[0].public_id) for _ in range(3)]
        _, *seen = await asyncio.gather(nodes[0].delete(whole), *reads)
        assert all(task is None or task.state is State.SUCCEEDED for task in seen)


async def test_a_task_is_deleted_once(nodes):
    for turn in range(ROUNDS):
        await nodes[0].submit((new_task(),))
        (running,) = await claimed(nodes[0])
        done = await moved(nodes[0], running, Trigger.COMPLETE)
        gone = await both(nodes[0].delete(done), nodes[1].delete(done), turn)
        assert sorted(gone) == [False, True]
