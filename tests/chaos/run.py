"""One run: eight clients, one adversary, a settlement, a verdict. It ends by itself, whatever happens.

At the end everything has time to settle; then the servers stop by SIGTERM, every file is made to look old, and
`darkroom doctor --repair` may remove orphans and nothing else. What is left is judged.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from chaos.adversary import KILLS, Adversary, Fault, kills_in, plan
from chaos.client import Client
from chaos.evidence import Evidence, collect, unsettled
from chaos.habits import HABITS
from chaos.site import Site
from chaos.story import Story
from chaos.verdict import Violation, judge

SETTLED_WITHIN = 100.0  # seconds, after the last blow
STRIKES_WITHIN = 10.0  # seconds for each kill, on a machine that stalls
OLD = 2 * 3600  # seconds
EVERY = 10.0  # seconds between lines of progress


@dataclass(slots=True)
class Outcome:
    """What came of a run. `swept` are the orphans that the doctor removed."""

    seed: int
    seconds: float
    done: Counter[Fault]
    stories: list[Story]
    evidence: Evidence
    violations: list[Violation]
    cut_off: int
    swept: int

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return kills_in(self.done)


async def run(site: Site, seed: int, kills: int, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """Let it happen on a site that runs, and judge."""
    began = time.monotonic()
    hired = [await asyncio.to_thread(site.hire, habit, number) for number, habit in enumerate(HABITS)]
    receivers = {str(number): (habit.name, hired[number][2]) for number, habit in enumerate(HABITS)}
    clients = [
        Client(habit, key, site.addresses, hook, f"{seed} {habit.name}")
        for habit, (key, hook, _) in zip(HABITS, hired, strict=True)
    ]
    last = 0.0

    def tell() -> None:
        nonlocal last
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            say(progress(last - began, adversary, kills, clients))

    adversary = Adversary(site, plan(seed, kills), tell)
    living = [asyncio.create_task(client.live()) for client in clients]
    try:
        async with asyncio.timeout(60 + STRIKES_WITHIN * kills):
            await adversary.strike()
        for client in clients:
            client.finish()
        await settle(site, living)
    finally:
        for life in living:
            life.cancel()
        await asyncio.gather(*living, return_exceptions=True)
    say(progress(time.monotonic() - began, adversary, kills, clients))
    swept, problems = await asyncio.to_thread(close, site)
    logs = [server.log for server in site.servers]
    evidence = await asyncio.to_thread(collect, site.database, site.objects, site.received(), receivers, logs)
    stories = [story for client in clients for story in client.stories]
    return Outcome(
        seed=seed,
        seconds=time.monotonic() - began,
        done=adversary.done,
        stories=stories,
        evidence=evidence,
        violations=[*problems, *judge(stories, evidence)],
        cut_off=sum(client.cut_off for client in clients),
        swept=swept,
    )


async def settle(site: Site, living: list[asyncio.Task[None]]) -> None:
    """Wait until the clients are done and nothing goes on; what does then, the verdict finds."""
    try:
        async with asyncio.timeout(SETTLED_WITHIN):
            await asyncio.gather(*living)
            while await asyncio.to_thread(unsettled, site.database):
                await asyncio.sleep(0.2)
    except TimeoutError:
        return


def close(site: Site) -> tuple[int, list[Violation]]:
    """Stop the servers, and let the doctor do what a day would: how many orphans it removed, and what is wrong."""
    problems = [
        Violation("servers stop when they are told to", f"one ended with status {status}")
        for server in site.servers
        if (status := server.stop()) != 0
    ]
    past = time.time() - OLD
    for path in site.objects.rglob("*"):
        if path.is_file():
            os.utime(path, (past, past))
    report = site.servers[0].command("doctor", "--repair").splitlines()
    swept = 0
    for line in report[1:-1]:
        word, check, count, *_ = line.split()
        if (word, check) == ("repaired", "orphans"):
            swept = int(count)
        else:
            problems.append(Violation("the doctor finds nothing but orphans", line))
    return swept, problems


def progress(seconds: float, adversary: Adversary, kills: int, clients: list[Client]) -> str:
    """How far it is, in one line."""
    stories = [story for client in clients for story in client.stories]
    asked, done = sum(bool(story.ids) for story in stories), sum(story.closed for story in stories)
    struck = ", ".join(f"{fault} {adversary.done[fault]}" for fault in Fault)
    return f"{seconds:5.0f} s  {adversary.kills:3}/{kills} kills ({struck})  {asked} tasks acknowledged, {done} done"


def table(outcome: Outcome) -> str:
    """What a run did and found."""
    tasks = [task for task in outcome.evidence.tasks if not task.parts]
    runs = Counter(task.history.count("running") for task in tasks)
    told = outcome.evidence.told
    lines = {
        "seed": outcome.seed,
        "seconds": f"{outcome.seconds:.0f}",
        "kills with -9": outcome.kills,
        **{f"  {fault}": outcome.done[fault] for fault in KILLS},
        "times that the disk was full": outcome.done[Fault.DISK],
        "times that a server stood still": outcome.done[Fault.STALL],
        "requests": len(outcome.stories),
        "  acknowledged": sum(bool(story.ids) for story in outcome.stories),
        "  deleted": sum(story.deleted for story in outcome.stories),
        "answers that were not had at the first try": outcome.cut_off,
        "sightings of tasks": sum(len(story.seen) for story in outcome.stories),
        "tasks and parts that are left": len(tasks),
        **{f"  {state}": count for state, count in sorted(Counter(task.state for task in tasks).items())},
        "tasks with more than one run": sum(count for number, count in runs.items() if number > 1),
        "most runs of one task": max(runs, default=0),
        "webhooks received": len(told),
        "  of them repeats": len(told) - len({message.id for message in told}),
        "lines of the ledger": len(outcome.evidence.ledger),
        "files left": len(outcome.evidence.stored),
        "orphans that the doctor removed": outcome.swept,
        "violations": len(outcome.violations),
    }
    width = max(map(len, lines))
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in lines.items())


def told(outcome: Outcome, most: int = 30) -> str:
    """The violations, and how to have the same plan again."""
    lines = [f"  {violation.check}: {violation.what}" for violation in outcome.violations[:most]]
    more = len(outcome.violations) - most
    return "\n".join([f"seed {outcome.seed}:", *lines, *([f"  and {more} more"] if more > 0 else [])])


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
