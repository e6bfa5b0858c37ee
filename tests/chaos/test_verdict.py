"""The judge of the chaos run finds each thing that must not be, planted one at a time into what is in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.adversary import KILLS, WEIGHTS, Fault, plan
from chaos.evidence import Evidence, LedgerLine, TaskRow, Told
from chaos.story import GONE, Sighting, Story, follows, went_backwards
from chaos.verdict import CHECKS, judge

DONE = ["queued", "running", "queued", "running", "succeeded"]


class Scene:
    """What one client asked for and what is left of it: a task that needed two runs, one that failed, one with two
    parts, and one that was deleted. Everything is in order until a test breaks it.
    """

    def __init__(self) -> None:
        seen = [Sighting("queued", 0), Sighting("running", 1, 40), Sighting("queued", 1), Sighting("running", 2, 20)]
        self.twice = Story("client", "twice", frozenset({"succeeded"}), ids=["A"], seen=seen)
        self.failing = Story("client", "failing", frozenset({"failed"}), ids=["B"], seen=[Sighting("failed")])
        self.family = Story("client", "family", frozenset({"succeeded"}), parts=2, ids=["C"], runs_told=False)
        self.gone = Story("client", "gone", frozenset({"succeeded"}), ids=["D"], deleted=True, seen=[GONE])
        self.twice.seen.append(Sighting("succeeded", 2, 100))
        self.twice.told = [(2, "running"), (3, "queued"), (4, "running"), (5, "succeeded")]
        self.stories = [self.twice, self.failing, self.family, self.gone]
        for story in self.stories:
            story.closed = True
        self.a = row("a", "A", history=DONE)
        self.b = row("b", "B", "failed")
        self.c = row("c", "C", parts=2, cost=2)
        self.parts = [row("c1", "C1", parent_id="c"), row("c2", "C2", parent_id="c")]
        self.evidence = Evidence(
            tasks=[self.a, self.b, self.c, *self.parts],
            ledger=[LedgerLine("client", None, "grant", 100, 0, bank=-100)],
            inputs={"files/1": 1, "files/2": 0},
            told=[
                told("m1", "running", "A"),
                told("m2", "running", "A"),
                told("m2", "running", "A"),  # the answer to the first was lost
                told("m3", "succeeded", "A"),
                told("m4", "running", "B"),
                told("m5", "failed", "B"),
                told("m6", "succeeded", "C"),
            ],
        )
        for task in (self.a, *self.parts):
            self.settle(task.id, "capture", revenue=1)
        self.settle("b", "release", available=1)
        self.settle("d", "capture", revenue=1)
        self.evidence.balances = {"client": (96, 0)}
        self.evidence.stored = frozenset({"files/1"}).union(*(task.files for task in self.evidence.tasks))

    def settle(self, task_id: str, kind: str, available: int = 0, revenue: int = 0) -> None:
        self.evidence.ledger += [
            LedgerLine("client", task_id, "hold", -1, 1),
            LedgerLine("client", task_id, kind, available, -1, revenue=revenue),
        ]

    def found(self) -> list[str]:
        return sorted({violation.check for violation in judge(self.stories, self.evidence)})


def row(task_id: str, public_id: str, state: str = "succeeded", **known: object) -> TaskRow:
    """A task that ended after one run, unless told otherwise."""
    whole = state == "succeeded"
    values = {
        "cost": int(whole),
        "results": int(whole),
        "history": ["queued", "running", state],
        "numbers": [*range(1, 1 + len(known.get("history", "abc")))],  # type: ignore[arg-type]
        "files": frozenset({f"tasks/{task_id}/1/0"} if whole else ()),
        **known,
    }
    return TaskRow(task_id, public_id, "client", state, **values)  # type: ignore[arg-type]


def told(message: str, state: str, task_id: str, genuine: bool = True) -> Told:
    return Told(message, f"task.{state}", "client", json.dumps({"data": [{"id": task_id}]}), genuine)


def test_evidence_that_is_in_order_has_no_violation() -> None:
    assert judge(Scene().stories, Scene().evidence) == []


PLANTED: list[tuple[str, Callable[[Scene], object]]] = [
    ("nothing goes on", lambda it: setattr(it.twice, "closed", False)),
    ("nothing goes on", lambda it: it.evidence.unsettled.update(tasks=1)),
    ("nothing goes on", lambda it: it.evidence.unsettled.update(deliveries=1)),
    ("no good request is refused", lambda it: it.twice.refused.append("a submit was answered 500")),
    ("no bug shows in the log", lambda it: it.evidence.bugs.append("Traceback")),
    # lost, or not as it must be
    ("no acknowledged task is missing", lambda it: it.evidence.tasks.remove(it.b)),
    ("no acknowledged task is missing", lambda it: setattr(it.twice, "ends", frozenset({"canceled"}))),
    ("no acknowledged task is missing", lambda it: setattr(it.family, "parts", 3)),
    ("no acknowledged task is missing", lambda it: setattr(it.gone, "ids", ["B"])),
    # made twice
    ("no request makes two tasks", lambda it: it.twice.ids.append("B")),
    ("no request makes two tasks", lambda it: it.evidence.tasks.append(row("x", "X"))),
    # delivered twice
    ("no task is delivered twice", lambda it: it.b.history.append("failed")),
    ("no task is delivered twice", lambda it: it.b.history.append("running")),
    ("no task is delivered twice", lambda it: it.settle("a", "capture", revenue=1)),
    ("no task is delivered twice", lambda it: it.settle("b", "capture", revenue=1)),
    ("no task is delivered twice", lambda it: setattr(it.a, "results", 2)),
    ("no task is delivered twice", lambda it: setattr(it.b, "results", 1)),
    # money
    ("the ledger adds up", lambda it: it.evidence.ledger.pop()),
    ("the ledger adds up", lambda it: it.evidence.balances.update(client=(95, 0))),
    ("the ledger adds up", lambda it: it.evidence.balances.update(client=(96, 1))),
    ("the ledger adds up", lambda it: setattr(it.a, "cost", 2)),
    ("the ledger adds up", lambda it: it.evidence.ledger.append(LedgerLine("client", None, "grant", 1, 0))),
    # states
    ("states never go backwards", lambda it: it.twice.seen.append(Sighting("running", 2, 100))),
    ("states never go backwards", lambda it: it.gone.seen.append(Sighting("succeeded"))),
    ("states never go backwards", lambda it: it.failing.seen.insert(0, Sighting("canceled"))),
    ("states never go backwards", lambda it: it.failing.seen.__setitem__(slice(None), [Sighting("succeeded")])),
    ("every event is told once", lambda it: it.twice.told.pop(1)),
    ("every event is told once", lambda it: it.twice.told.insert(1, (2, "running"))),
    ("every event is told once", lambda it: it.twice.told.__setitem__(0, (2, "succeeded"))),
    # webhooks
    ("every webhook arrives under one id", lambda it: it.evidence.told.pop()),
    ("every webhook arrives under one id", lambda it: it.evidence.told.append(told("m9", "succeeded", "A"))),
    ("every webhook arrives under one id", lambda it: it.evidence.told.append(told("m1", "failed", "A"))),
    ("every webhook arrives under one id", lambda it: it.evidence.told.append(told("m3", "succeeded", "A", False))),
    ("every webhook arrives under one id", lambda it: it.evidence.told.reverse()),
    # files
    ("files and rows agree", lambda it: setattr(it.evidence, "stored", it.evidence.stored | {"tasks/a/0/0"})),
    ("files and rows agree", lambda it: setattr(it.evidence, "stored", it.evidence.stored | {".incoming/half"})),
    ("files and rows agree", lambda it: setattr(it.evidence, "stored", it.evidence.stored - {"tasks/a/1/0"})),
    ("files and rows agree", lambda it: setattr(it.evidence, "stored", it.evidence.stored - {"files/1"})),
]


@pytest.mark.parametrize(("check", "plant"), PLANTED)
def test_what_must_not_be_is_found(check: str, plant: Callable[[Scene], object]) -> None:
    scene = Scene()
    plant(scene)
    assert check in scene.found()


def test_each_check_was_seen_to_fail() -> None:
    assert {check.__name__.replace("_", " ") for check in CHECKS} == {check for check, _ in PLANTED}


@pytest.mark.parametrize(
    "seen",
    [
        [Sighting("succeeded", 1), Sighting("failed", 1)],
        [Sighting("succeeded"), Sighting("running")],
        [Sighting("canceled"), Sighting("queued")],
        [Sighting("running", 1), Sighting("queued", 0)],
        [Sighting("running", 2), Sighting("running", 1)],
        [Sighting("queued", 1), Sighting("running", 1)],
        [Sighting("running", 1, 50), Sighting("running", 1, 40)],
        [GONE, Sighting("queued", 0)],
    ],
)
def test_a_step_backwards_is_seen(seen: list[Sighting]) -> None:
    assert went_backwards(seen) is not None
    assert went_backwards(seen[:1] * 2) is None


def test_a_lost_attempt_is_no_step_backwards() -> None:
    first = [Sighting("queued", 0), Sighting("running", 1, 0), Sighting("running", 1, 60)]
    second = [Sighting("queued", 1), Sighting("running", 2, 10), Sighting("succeeded", 2, 100), GONE, GONE]
    assert went_backwards([*first, *second]) is None
    assert went_backwards([replace(sighting, attempt=None) for sighting in [*first, *second]]) is None


def test_what_was_seen_has_to_be_a_way_through_the_history() -> None:
    assert follows([Sighting("running"), Sighting("running"), Sighting("succeeded")], DONE)
    assert follows([Sighting("running"), Sighting("queued"), Sighting("running")], DONE)
    assert not follows([Sighting("running"), Sighting("queued")] * 2, DONE)
    assert not follows([Sighting("failed")], DONE)


@pytest.mark.parametrize("kills", [4, 13, 200])
def test_a_plan_has_as_many_kills_as_asked_for_and_every_kind_of_fault(kills: int) -> None:
    blows = plan(7, kills)
    assert blows == plan(7, kills)
    assert blows != plan(8, kills)
    assert sum(blow.fault in KILLS for blow in blows) == kills
    assert {blow.fault for blow in blows} == set(Fault) == set(WEIGHTS)
