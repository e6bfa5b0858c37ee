"""Scripts that line tasks up and take them: parts of a transaction, or whole ones.

The rules are in `core.fairness`. Whatever waits is taken with `SKIP LOCKED`, so that nobody waits for a claim.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..core import fairness
from ..core.fairness import ANYTHING, EVER, Choice, Head, Place, Serves, Sharing
from ..core.task import Gate, Task
from .database import Row, Script

MANY = 100  # tasks that come due in one transaction
STALE = 1_000  # milliseconds that a claim may have waited for its turn: what has become due since then is due


@dataclass(frozen=True, slots=True)
class Wish:
    """What a worker wants: of which engines, how many tasks, which models it has loaded, and which it serves at all."""

    engines: tuple[str, ...]
    room: int
    warm: tuple[str, ...] = ()
    serves: Serves = ANYTHING


@dataclass(slots=True)
class Standing:
    """How an account counts among the tasks of an engine and priority, and what it wants to line up.

    `turn` is where its next task stands at the earliest, `wanted` the virtual time of the tasks that line up now.
    """

    account_id: str
    engine: str
    priority: int
    turn: int
    weight: float
    limit: int | None
    wanted: int = 0

    def behind(self, price: int) -> int:
        """How far behind the first of them one more task stands."""
        offset = self.wanted
        self.wanted += fairness.length(price, self.weight)
        return offset

    @property
    def gate(self) -> Gate:
        """Where the account's tasks begin to wait."""
        return Gate.OPEN if self.limit is None else Gate.LIMIT


Standings = dict[tuple[str, str, int], Standing]


def listed(engines: tuple[str, ...]) -> str:
    """Engine names as the queries take them."""
    return f",{','.join(engines)},"


# ---- lining up


def line_up(tasks: tuple[Task, ...]) -> Script[tuple[list[tuple[int, Gate]], Standings]]:
    """Turn and gate of each new task, and how its account counts. A parent is not in the queue."""
    standings: Standings = {}
    wanted: list[tuple[Standing | None, int, Gate]] = []
    for task in tasks:
        if task.parts:
            wanted.append((None, 0, Gate.OPEN))
        elif task.run_at > task.created_at:
            wanted.append((None, 0, Gate.TIME))  # it lines up when it is due
        else:
            standing = yield from stand(standings, task.account_id, task.engine, task.priority)
            wanted.append((standing, standing.behind(task.price), standing.gate))
    yield from advance(standings)
    return [(standing.turn + offset if standing else 0, gate) for standing, offset, gate in wanted], standings


def stand(standings: Standings, account_id: str, engine: str, priority: int) -> Script[Standing]:
    """How an account counts, read once."""
    key = account_id, engine, priority
    if key not in standings:
        (row,) = yield "next_turn", {"account_id": account_id, "engine": engine, "priority": priority}
        weight = 1.0 if row["weight"] is None else row["weight"]
        standings[key] = Standing(*key, row["turn"], weight, row["running_limit"])
    return standings[key]


def advance(standings: Standings) -> Script[None]:
    """Give accounts the virtual time that they want, each behind what others of its submits got at the same moment.

    The first of an engine starts its clock.
    """
    for _, standing in sorted(standings.items()):
        place = {"account_id": standing.account_id, "engine": standing.engine, "priority": standing.priority}
        params = {**place, "earliest": standing.turn, "wanted": standing.wanted}
        moved = yield "advance_standing", params
        if not moved:
            yield "add_clock", {"engine": standing.engine, "priority": standing.priority, "turn": standing.turn}
            moved = yield "add_standing", params
        standing.turn = moved[0]["turn"]


def admit_limited(standings: Standings) -> Script[set[str]]:
    """Let in what the limits of accounts allow; the ids of these tasks."""
    admitted: set[str] = set()
    for account_id in sorted({standing.account_id for standing in standings.values() if standing.limit is not None}):
        admitted |= yield from admit(account_id)
    return admitted


def admit(account_id: str) -> Script[set[str]]:
    """Let as many of an account's tasks into the queue as may run at once; their ids."""
    found = yield "lock_limit", {"id": account_id}
    limit = found[0]["running_limit"] if found else None
    if limit is None:
        return set()
    counted = yield "admitted", {"account_id": account_id}
    free = limit - counted[0]["tasks"]
    rows = (yield "admit", {"account_id": account_id, "limit": free}) if free > 0 else []
    return {row["id"] for row in rows}


def come_due(now: int) -> Script[bool]:
    """Line up tasks whose time has come; whether there were any. One that ran before keeps its turn."""
    rows = yield "come_due", {"now": now, "limit": MANY}
    if not rows:
        return False
    standings: Standings = {}
    wanted = []
    for row in rows:
        standing = yield from stand(standings, row["account_id"], row["engine"], row["priority"])
        wanted.append((row, standing, None if row["attempt"] else standing.behind(row["price"])))
    yield from advance(standings)
    yield (
        "line_up",
        [
            {
                "id": row["id"],
                "turn": row["turn"] if offset is None else standing.turn + offset,
                "gate": standing.gate.value,
            }
            for row, standing, offset in wanted
        ],
    )
    yield from admit_limited(standings)
    return True


def share_script(account_id: str, weight: float, limit: int | None) -> Script[bool]:
    """Another weight and limit for an account; false when there is none of this id."""
    changed = yield "set_share", {"id": account_id, "weight": weight, "running_limit": limit}
    if not changed:
        return False
    yield "lift_limit" if limit is None else "begin_limit", {"account_id": account_id}
    yield from admit(account_id)
    return True


# ---- taking


def take(wish: Wish, sharing: Sharing, worker: str, now: int, until: int) -> Script[list[Row]]:
    """The tasks that are next for a worker, leased to it, in their order."""
    taken: list[Row] = []
    shut: set[tuple[str, str]] = set()
    while len(taken) < wish.room:
        choice = yield from choose(wish, sharing, shut, now)
        if choice is None:
            break
        head = choice.head
        room = yield from allowed(sharing, head.model, wish.room - len(taken))
        rows = (yield from claim(choice, worker, room, now, until)) if room > 0 else []
        if not rows:  # as many run as may, or others are just taking the rest
            shut.add((head.engine, head.model))
        taken += sorted(rows, key=place_of)
    for priority in sorted({row["priority"] for row in taken}):
        turn = max(row["turn"] for row in taken if row["priority"] == priority)
        yield "raise_clock", {"engines": listed(wish.engines), "priority": priority, "turn": turn}
    return taken


def choose(wish: Wish, sharing: Sharing, shut: set[tuple[str, str]], now: int) -> Script[Choice | None]:
    """What to take next."""
    rows = yield from heads_of_the_queue(now)
    while late := [row for row in rows if row["run_at"] > max(now + STALE, row["created_at"])]:
        for row in late:
            yield "set_later", {"seq": row["seq"], "now": now}
        rows = yield "heads", {}
    heads = [
        Head(place_of(row), row["engine"], row["model"])
        for row in rows
        if row["engine"] in wish.engines
        and (row["engine"], row["model"]) not in shut
        and wish.serves.takes(row["model"], sharing.needs)
    ]
    return fairness.choose(heads, wish.warm, sharing.affinity)


def heads_of_the_queue(now: int) -> Script[list[Row]]:
    """The first task of each engine and model, after what is due has lined up."""
    rows = yield "heads", {}
    due = rows[0]["due_at"] if rows else now
    if due is not None and due <= now and (yield from come_due(now)):
        rows = yield "heads", {}
    return rows


def allowed(sharing: Sharing, model: str, room: int) -> Script[int]:
    """How many tasks of a model may start now."""
    limit = sharing.limits.get(model)
    if limit is None:
        return room
    if not (yield "lock_model", {"model": model}):
        yield "add_bottleneck", {"model": model}
        yield "lock_model", {"model": model}
    counted = yield "running_of_model", {"model": model}
    return min(room, limit - int(counted[0]["tasks"]))


def claim(choice: Choice, worker: str, room: int, now: int, until: int) -> Script[list[Row]]:
    """Lease what was chosen; where others took all of that, what comes behind it."""
    params = {
        "engine": choice.head.engine,
        "model": choice.head.model,
        "priority": -choice.head.place.rank,
        "turn": choice.turn,
        "seq": choice.seq,
        "limit": room,
        "worker": worker,
        "now": now,
        "due": now + STALE,
        "lease_until": until,
    }
    rows = yield "claim", params
    if not rows and choice.turn < EVER:
        rows = yield "claim", {**params, "turn": EVER, "seq": EVER}
    return rows


def place_of(row: Row) -> Place:
    """Where a row stands."""
    return Place(-row["priority"], row["turn"], row["seq"])
