"""A fleet in a few lines: queue waits, fairness and polls at 1 and 100 million tasks a day, with failures.

Events in order of time, the product's own rule of turns (`core.fairness`), and its own advice when to poll again. What
is simulated is a window of a day's peak. Before that the same code is checked against the real store at a small scale.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import servers
import workday
from darkroom.core import fairness
from darkroom.estimates import retry_after
from workday import Done, Work

LEASE = 30.0  # seconds until a worker that died is given up
NAIVE = 1.5  # seconds between polls of a client that follows no advice: 20 polls of a task of 30 s
HOLD = 30.0  # seconds that a long poll is held
HEAVY = 0.3  # of the tasks of a day come from one account


@dataclass(frozen=True, slots=True)
class Fleet:
    """Workers by what they can run: names of engines to the number of slots. One fails after `mtbf` seconds of work."""

    slots: dict[tuple[str, ...], int]
    mtbf: float = float("inf")


@dataclass(slots=True)
class Queue:
    """One engine's queue, by turns."""

    clock: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    waiting: list[tuple[int, int, int]] = field(default_factory=list)

    def submit(self, account: str, number: int, order: int) -> None:
        """Line a task up."""
        turn = fairness.start(self.clock, self.ends.get(account, 0))
        self.ends[account] = turn + fairness.length(1, 1)
        heapq.heappush(self.waiting, (turn, order, number))


def simulated(
    works: Sequence[tuple[Work, str]], fleet: Fleet, backlog: int = 0, overhead: float = 0.0, seed: int = 1
) -> tuple[list[Done], int]:
    """What becomes of each task (its work and its engine), and how many runs were lost with their workers."""
    chance, order = random.Random(seed), itertools.count()
    queues = {engine: Queue() for kinds in fleet.slots for engine in kinds}
    free = dict(fleet.slots)
    tasks = list(works)
    first = tasks[0]
    for _ in range(backlog):
        tasks.append((Work(0.0, "heavy", first[0].seconds), first[1]))
        queues[first[1]].submit("heavy", len(tasks) - 1, next(order))
    begun: dict[int, float] = {}
    done: list[Done] = []
    lost = 0
    events = [(work.at, next(order), "submit", number, ()) for number, (work, _) in enumerate(works)]
    heapq.heapify(events)

    def fill(now: float) -> None:
        nonlocal lost
        for kinds in fleet.slots:
            while free[kinds]:
                heads = [(queues[engine].waiting[0], engine) for engine in kinds if queues[engine].waiting]
                if not heads:
                    break
                (turn, _, number), engine = min(heads)
                heapq.heappop(queues[engine].waiting)
                for each in kinds:  # as the store does: for all engines among which it chose
                    queues[each].clock = max(queues[each].clock, turn)
                free[kinds] -= 1
                begun.setdefault(number, now)
                run = tasks[number][0].seconds + overhead
                dies = chance.expovariate(1 / fleet.mtbf) if fleet.mtbf < float("inf") else float("inf")
                if dies < run:
                    lost += 1
                    heapq.heappush(events, (now + dies + LEASE, next(order), "lost", number, kinds))
                else:
                    heapq.heappush(events, (now + run, next(order), "end", number, kinds))

    left = len(works)
    fill(0.0)
    while events and left:
        now, _, what, number, kinds = heapq.heappop(events)
        work, engine = tasks[number]
        if what == "submit":
            queues[engine].submit(work.account, number, next(order))
        elif what == "lost":  # another worker takes its place; the task goes first
            free[kinds] += 1
            heapq.heappush(queues[engine].waiting, (0, next(order), number))
        else:
            free[kinds] += 1
            if number < len(works):
                left -= 1
                done.append(Done(work.account, begun[number] - work.at, now - work.at, engine))
        fill(now)
    return done, lost


# ---- a day's peak


def peak(day: int, times: float, tasks: int, seed: int = 2) -> tuple[list[tuple[Work, str]], float]:
    """Tasks of a peak of a day with so many, and how many come in a second: one heavy account, the others by Zipf."""
    chance, rate = random.Random(seed), day / 86_400 * times
    accounts = [f"account-{number}" for number in range(2_000)]
    weights = [1 / (number + 1) for number in range(len(accounts))]
    others = chance.choices(accounts, weights, k=tasks)
    at, found = 0.0, []
    for other in others:
        at += chance.expovariate(rate)
        video = chance.random() < 0.2
        seconds = chance.lognormvariate(0, 0.5) * (60 if video else 16)
        account = "heavy" if chance.random() < HEAVY else other
        found.append((Work(at, account, seconds), "video" if video else "image"))
    return found, rate


def polls(done: Sequence[Done]) -> dict[str, float]:
    """Polls of a task until it is seen to be done, by what a client does."""
    means = {
        engine: statistics.fmean(each.done for each in done if each.engine == engine)
        for engine in {each.engine for each in done}
    }
    asked = 0
    for each in done:
        at = 0.0
        while at < each.done:
            at += retry_after(max(1.0, means[each.engine] - at))
            asked += 1
    return {
        f"every {NAIVE:g} s": sum(1 + each.done // NAIVE for each in done) / len(done),
        "as Retry-After says": asked / len(done),
        f"held open for {HOLD:g} s": sum(1 + each.done // HOLD for each in done) / len(done),
    }


def told(day: int, times: float, tasks: int, spare: float, backlog: int) -> None:
    """Simulate a peak, with and without a backlog of the heavy account before it, and print what came of it."""
    works, rate = peak(day, times, tasks)
    need = {kind: rate * share * mean for kind, share, mean in (("image", 0.8, 18.1), ("video", 0.2, 68.0))}
    slots = {kind: int(amount * spare) for kind, amount in need.items()}
    both = int(0.2 * sum(slots.values()))
    alone = {("image",): slots["image"] - both // 2, ("video",): slots["video"] - both // 2}
    fleet = Fleet(alone | {("image", "video"): both}, mtbf=6 * 3600)
    size = sum(fleet.slots.values())
    print(f"\n{day:,} tasks a day, at {times:g} times the mean: {rate:,.0f} tasks/s on {size:,} slots")
    for before in (0, backlog):
        done, lost = simulated(works, fleet, before)
        print(
            f"{before:,} tasks of the heavy account before; {len(done):,} come, {lost} runs are lost with their workers"
        )
        for name, heavy in (("the heavy account", True), ("all others", False)):
            waits = sorted(each.begun for each in done if (each.account == "heavy") is heavy)
            median, late = waits[len(waits) // 2], waits[len(waits) * 95 // 100]
            print(f"  wait of {name}: median {median:.1f} s, 95 % within {late:.1f} s")
        if not before:
            for how, count in polls(done).items():
                print(f"  polls {how}: {count:.1f} a task, {count * rate:,.0f} a second")


# ---- the check


async def checked() -> None:
    """The same work on the real store and simulated, with and without a backlog."""
    works = workday.light(20, 120, 10.0, 0.25)
    for backlog in (0, 2_000):
        with servers.folder() as folder:
            real = await workday.carried_out(f"sqlite:{folder}/check.db", works, 4, backlog)
        with servers.folder() as folder:  # what the store adds to each run: one slot, measured by itself
            alone = await workday.carried_out(f"sqlite:{folder}/one.db", workday.light(1, 20, 2.0, 0.25), 1)
        overhead = max(0.0, statistics.median(each.done - each.begun for each in alone) - 0.25)
        model, _ = simulated([(work, "bench") for work in works], Fleet({("bench",): 4}), backlog, overhead)
        medians = [[statistics.median(getattr(each, what) for each in found) for what in ("begun", "done")]
                   for found in (real, model)]  # fmt: skip
        print(f"{backlog:,} tasks of one account before: until begun {medians[0][0]:.3f} s real, {medians[1][0]:.3f} s "
              f"simulated; until done {medians[0][1]:.3f} s real, {medians[1][1]:.3f} s simulated")  # fmt: skip


if __name__ == "__main__":
    asyncio.run(checked())
    told(1_000_000, 5, 20_000, 1.15, 10_000)
    told(100_000_000, 3, 300_000, 1.05, 300_000)
