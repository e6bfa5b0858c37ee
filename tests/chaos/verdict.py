"""What must hold when everything has settled; each check yields what breaks it, and knows nothing of how it came about.

Tasks that were deleted are known only by what their clients saw and by the ledger, which forgets nothing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.evidence import Evidence, TaskRow
from chaos.story import FINAL, GONE, Story, follows, went_backwards


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be."""

    check: str
    what: str


def judge(stories: Sequence[Story], evidence: Evidence) -> list[Violation]:
    """Everything that is wrong."""
    return [Violation(check.__name__.replace("_", " "), what) for check in CHECKS for what in check(stories, evidence)]


Check = Callable[[Sequence[Story], Evidence], Iterator[str]]


def nothing_goes_on(stories: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """Every request was answered in the end, every task and every webhook is through."""
    for story in stories:
        if not story.closed:
            yield f"{story.prompt!r} is not done"
    for kind, count in evidence.unsettled.items():
        yield f"{count} {kind} are unfinished"


def no_good_request_is_refused(stories: Sequence[Story], _: Evidence) -> Iterator[str]:
    """Servers in trouble say so; nothing else is said to a good request."""
    for story in stories:
        yield from (f"{story.prompt!r}: {refusal}" for refusal in story.refused)


def no_bug_shows_in_the_log(_: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """A trace in a log is a bug."""
    yield from (f"{line[:200]} … {line[-400:]}" for line in evidence.bugs)


def no_acknowledged_task_is_missing(stories: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """Whatever was answered with an id is there with all its parts, and has ended as it must."""
    known = {task.public_id: task for task in evidence.tasks}
    parts = Counter(task.parent_id for task in evidence.tasks if task.parent_id)
    for story in stories:
        for task_id in story.ids:
            task = known.get(task_id)
            if story.deleted:
                if task is not None:
                    yield f"{task_id} ({story.prompt!r}) is there although it was deleted"
            elif task is None:
                yield f"{task_id} ({story.prompt!r}) was acknowledged and is lost"
            elif task.state not in story.ends:
                yield f"{task_id} ({story.prompt!r}) is {task.state}, not {' or '.join(sorted(story.ends))}"
            elif story.parts > 1 and parts[task.id] != story.parts:
                yield f"{task_id} ({story.prompt!r}) has {parts[task.id]} parts, not {story.parts}"


def no_request_makes_two_tasks(stories: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """However often a request was repeated, there is one task of it, and none that nobody was told of."""
    for story in stories:
        if len(set(story.ids)) > 1:
            yield f"{story.prompt!r} made {sorted(set(story.ids))}"
    told = {task_id for story in stories for task_id in story.ids}
    for task in evidence.tasks:
        if task.parent_id is None and task.public_id not in told:
            yield f"{task.public_id} of {task.client} belongs to no request"


def no_task_is_delivered_twice(_: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """Each task ends once, with as many results as were asked for, and is charged once, or not at all."""
    captures = Counter(line.task_id for line in evidence.ledger if line.kind == "capture")
    for task in evidence.tasks:
        ends = [state for state in task.history if state in FINAL]
        if ends != [task.state] or task.history[-1] != task.state:
            yield f"{task.public_id} is {task.state} after {' '.join(task.history)}"
        if task.parts:
            continue
        succeeded = task.state == "succeeded"
        if captures[task.id] != succeeded:
            yield f"{task.public_id} is {task.state} and was charged {captures[task.id]} times"
        if task.results != task.count * succeeded:
            yield f"{task.public_id} is {task.state} with {task.results} results"


def the_ledger_adds_up(_: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """Nothing comes from nowhere, nothing is held any more, balances are sums, tasks cost what was captured."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    held: Counter[str | None] = Counter()
    revenue: Counter[str | None] = Counter()
    for line in evidence.ledger:
        if line.available + line.held + line.bank + line.revenue:
            yield f"a line of {line.client} does not come to nothing: {line}"
        sums[line.client][0] += line.available
        sums[line.client][1] += line.held
        held[line.task_id] += line.held
        revenue[line.task_id] += line.revenue
    for client, (available, on_hold) in evidence.balances.items():
        if [available, on_hold] != sums[client]:
            yield f"{client} has {available} and {on_hold} held; the ledger says {sums[client]}"
        if on_hold:
            yield f"{client} still holds {on_hold}"
    for task_id, amount in held.items():
        if amount:
            yield f"task {task_id} still holds {amount}"
    for task in evidence.tasks:
        if not task.parts and task.cost != revenue[task.id]:
            yield f"{task.public_id} cost {task.cost}; the ledger says {revenue[task.id]}"


def states_never_go_backwards(stories: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """What each poller saw was in order, and a way through the task's history. That of a task with parts is theirs."""
    known = {task.public_id: task for task in evidence.tasks}
    for story in stories:
        if (what := went_backwards(story.seen)) is not None:
            yield f"{story.prompt!r} {what}"
        task = known.get(story.ids[0]) if story.ids else None
        if task is not None and not task.parts and not follows(shown(story, task), task.history):
            yield f"{story.prompt!r} was seen as {states(story)}; its history is {' '.join(task.history)}"
        if story.deleted and story.seen[-1:] != [GONE]:
            yield f"{story.prompt!r} was seen as {states(story)} after it had been deleted"


def shown(story: Story, task: TaskRow) -> list[Any]:
    """What was seen, in our words: where a vendor has no word for canceled, it is shown as failed."""
    if task.state == "canceled" and story.seen and story.seen[-1].state == "failed":
        return story.seen[:-1]
    return story.seen


def states(story: Story) -> str:
    """The states that were seen, in short."""
    return " ".join(sighting.state for sighting in story.seen)


def every_event_is_told_once(stories: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """A follower who comes back with the last number that it saw misses nothing, and is told nothing twice."""
    known = {task.public_id: task for task in evidence.tasks}
    for story in stories:
        task = known.get(story.ids[0]) if story.ids else None
        if task is None or not story.told:
            continue
        history = zip(task.numbers, task.history, strict=True)
        owed = [(number, state) for number, state in history if number >= story.told[0][0]]
        if story.told != owed:
            yield f"{story.prompt!r} was told {story.told}; it had to be {owed}"


def every_webhook_arrives_under_one_id(stories: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """Each event that was owed arrived, in the order of the task's history, repeats under the same id, and signed."""
    known = {task.public_id: task for task in evidence.tasks if task.parent_id is None}
    told: defaultdict[str, dict[str, str]] = defaultdict(dict)  # by task: id and event, in the order of arrival
    events: dict[str, str] = {}
    for message in evidence.told:
        if not message.genuine:
            yield f"{message.id} to {message.client} is not signed as it must be"
        if events.setdefault(message.id, message.event) != message.event:
            yield f"{message.id} told {events[message.id]} and {message.event}"
        for task_id in known.keys() & set(texts(json.loads(message.body))):
            told[task_id].setdefault(message.id, message.event)
    for story in stories:
        task = known.get(story.ids[0]) if story.ids else None
        if task is None or story.deleted:
            continue
        owed = [f"task.{state}" for state in task.history if state in FINAL or (state == "running" and story.runs_told)]
        if [*told[task.public_id].values()] != owed:
            arrived = " ".join(told[task.public_id].values()) or "nothing"
            yield f"{task.public_id} ({story.prompt!r}) owed {' '.join(owed)}; {arrived} arrived"


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON document."""
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from texts(each)
        case list():
            for each in value:
                yield from texts(each)


def files_and_rows_agree(_: Sequence[Story], evidence: Evidence) -> Iterator[str]:
    """Each stored file is somebody's, and what rows promise is stored; an input that nobody needs is no promise."""
    results = {key for task in evidence.tasks for key in task.files}
    wanted = results | {key for key, tasks in evidence.inputs.items() if tasks}
    yield from (f"{key} is an orphan" for key in sorted(evidence.stored - results - evidence.inputs.keys()))
    yield from (f"{key} is not there" for key in sorted(wanted - evidence.stored))


CHECKS: tuple[Check, ...] = (
    nothing_goes_on,
    no_good_request_is_refused,
    no_bug_shows_in_the_log,
    no_acknowledged_task_is_missing,
    no_request_makes_two_tasks,
    no_task_is_delivered_twice,
    the_ledger_adds_up,
    states_never_go_backwards,
    every_event_is_told_once,
    every_webhook_arrives_under_one_id,
    files_and_rows_agree,
)
