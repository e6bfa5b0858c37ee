"""An upgrade while nodes of the release before go on: what waits goes on waiting, and both work beside each other."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict

import asyncpg
import pytest
from earlier_node import SCHEMA, EarlierNode, earlier_node, recorded, running
from lives import POLICY, claimed, moved, submitted
from tables import answers, rows

from darkroom.core.fairness import CREDIT
from darkroom.core.machine import decide
from darkroom.core.review import HELD
from darkroom.core.task import Gate, State, Task, Trigger
from darkroom.store import Store, postgres_schema
from darkroom.store.database import migrations
from darkroom.store.queries import PARAMETER
from darkroom.testing.databases import ENGINE, LEASE, NOW, check_sums, new_artifact, new_family, new_task

FAR = 1 << 50  # beyond the clock of the database, which the migration asks
INDEXES = {"task_next", "task_later", "task_limited", "task_running"}


@pytest.fixture
async def node(database_url):
    """A node of the release before, on its own schema."""
    async with earlier_node(database_url) as node:
        yield node


async def test_what_waits_is_lined_up_by_account(node, database_url):
    whale = [new_task("whale", price=2) for _ in range(2_500)]  # more than are changed at a time
    small = [new_task("small") for _ in range(3)]
    await node.put([*whale, *small, new_task("small", parts=1)])
    store = await Store.open(database_url)
    try:
        found = [task.account_id for task in await claimed(store, limit=6)]
        assert sorted(found[:3]) == ["small", "small", "whale"]
        assert found.count("small") == 3
        task = await submitted(store, "new")
        assert task.id in [each.id for each in await claimed(store, limit=2)]
        behind = await submitted(store, "whale")
        assert behind.turn == 5_000 * CREDIT
        turns = await rows(database_url, "SELECT turn FROM task WHERE account_id = 'whale' ORDER BY seq")
        assert [turn for (turn,) in turns] == [2 * number * CREDIT for number in range(2_501)]
        assert "lined" not in {name for (name,) in await rows(database_url, TABLES[database_url.split(":")[0]])}
    finally:
        await store.close()


TABLES = {
    "sqlite": "SELECT name FROM sqlite_schema",
    "postgresql": "SELECT relname FROM pg_class",
}


async def test_what_is_not_due_or_held_is_kept_out_of_the_queue(node, database_url):
    later, held = new_task(run_at=FAR), new_task(run_at=HELD)
    await node.submit(later)
    await node.submit(held)
    store = await Store.open(database_url)
    try:
        assert [(await store.task(task.public_id)).gate for task in (later, held)] == [Gate.TIME, Gate.TIME]
        assert [task.id for task in await store.held()] == [held.id]
        assert await store.next_due((ENGINE,)) == FAR
        assert [task.id for task in await store.claim("worker", (ENGINE,), 9, FAR, LEASE)] == [later.id]
    finally:
        await store.close()


async def test_the_earlier_release_goes_on_submitting_and_claiming(node, database_url):
    store = await Store.open(database_url)
    try:
        mine = await submitted(store)
        theirs, later = new_task(), new_task(run_at=NOW + 5_000)
        await node.submit(theirs)
        await node.submit(later)
        assert [task.id for task in await claimed(store, limit=1)] == [mine.id]
        assert [row["id"] for row in await node.claim(9)] == [theirs.id]
        assert await claimed(store, limit=9) == []
        assert (await store.task(later.public_id)).gate is Gate.TIME  # found too early, and put where it belongs
        assert [task.id for task in await claimed(store, limit=9, now=NOW + 5_000)] == [later.id]
    finally:
        await store.close()


async def test_every_statement_of_the_earlier_release_is_understood(node, database_url):
    await (await Store.open(database_url)).close()
    old = recorded().values()
    assert len(old) > 100
    if database_url.startswith("sqlite:"):
        await answers(database_url, [f"EXPLAIN {PARAMETER.sub('NULL', each.text)}" for each in old])
        return
    connection = await asyncpg.connect(database_url)
    for each in old:
        await connection.prepare(each.positional)
    await connection.close()


async def test_what_the_earlier_release_inserts_has_every_column_that_must_have_a_value(node, database_url):
    await (await Store.open(database_url)).close()
    needed = await columns_without_default(database_url)
    inserts = [
        re.match(r"INSERT (?:/\*contended\*/ )?INTO (\w+) \(([^)]*)\)", each.text) for each in recorded().values()
    ]
    found = [(insert[1], {*insert[2].replace(" ", "").replace("\n", "").split(",")}) for insert in inserts if insert]
    assert {"task", "event", "entry", "delivery", "webhook", "file", "api_key"} <= {table for table, _ in found}
    for table, given in found:
        assert needed[table] <= given, table


async def columns_without_default(url: str) -> defaultdict[str, set[str]]:
    """By table: the columns that each insert has to name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    if url.startswith("sqlite:"):
        for (table,) in await rows(url, "SELECT name FROM sqlite_schema WHERE type = 'table'"):
            for _, name, kind, required, default, key in await rows(url, f"PRAGMA table_info({table})"):
                if required and default is None and not (key and kind == "INTEGER"):
                    found[table].add(name)
        return found
    for table, name in await rows(url, REQUIRED):
        found[table].add(name)
    return found


REQUIRED = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
"""


# ---- both work at once, before, during and after the upgrade


class Both:
    """Two nodes, and what each of them runs."""

    def __init__(self, old: EarlierNode, seed: int) -> None:
        self.old = old
        self.new: Store | None = None
        self.random = random.Random(seed)
        self.accounts: list[str] = []
        self.waiting: dict[str, Task] = {}
        self.runs: list[tuple[Task, bool]] = []  # and whether the earlier node has it
        self.now = NOW

    async def step(self) -> None:
        """Something that one of them does."""
        self.now += 10
        new = self.new if self.random.random() < 0.5 else None
        act = self.random.choice((self.submit, self.submit, self.claim, self.claim, self.finish, self.beat))
        await act(new)

    async def submit(self, new: Store | None) -> None:
        account = self.random.choice(self.accounts)
        if self.random.random() < 0.2:
            tasks = new_family(account, parts=2, price=2, engine=ENGINE, created_at=self.now)
        else:
            tasks = (new_task(account, price=3, created_at=self.now, priority=self.random.choice((0, 0, 1))),)
        await (new.submit(tasks) if new else self.old.submit(*tasks))
        self.waiting |= {task.id: task for task in tasks if not task.parts}

    async def claim(self, new: Store | None) -> None:
        limit = self.random.choice((1, 2))
        if new:
            found = await claimed(new, limit, now=self.now)
            self.runs += [(task, False) for task in found]
        else:
            found = [running(self.waiting[row["id"]], row) for row in await self.old.claim(limit, self.now)]
            self.runs += [(task, True) for task in found]
        for task in found:
            del self.waiting[task.id]

    async def finish(self, new: Store | None) -> None:
        if not self.runs:
            return
        task, with_old = self.runs.pop(self.random.randrange(len(self.runs)))
        trigger = self.random.choice((Trigger.COMPLETE, Trigger.COMPLETE, Trigger.RELEASE, Trigger.CANCEL))
        known = {"artifacts": (new_artifact(),)} if trigger is Trigger.COMPLETE else {}
        if with_old or new is None:
            change = decide(task, trigger, now=self.now, policy=POLICY, **known)
            assert change is not None
            assert await self.old.apply(change)
        else:
            assert await moved(new, task, trigger, now=self.now, **known) is not None
        if trigger is Trigger.RELEASE:
            self.waiting[task.id] = task

    async def beat(self, new: Store | None) -> None:
        if self.runs:
            task, with_old = self.random.choice(self.runs)
            store = self.old.store if with_old or new is None else new
            await store.heartbeat(task, self.now, LEASE, progress=self.random.randrange(100))


@pytest.mark.parametrize("seed", [1, 2])
async def test_both_releases_work_on_the_same_tasks_and_everything_adds_up(node, database_url, seed):
    both = Both(node, seed)
    for name in ("one", "other"):
        both.accounts.append((await node.store.add_account(name, 10_000, NOW)).id)
    for _ in range(60):
        await both.step()
    opening = asyncio.create_task(Store.open(database_url))
    while not opening.done():
        await both.step()
        await asyncio.sleep(0)
    both.new = await opening
    try:
        for _ in range(200):
            await both.step()
        while both.waiting or both.runs:
            both.now += LEASE
            await both.claim(both.new)
            await both.finish(both.new)
        await check_sums(both.new)
        assert not set(await both.new.counts()) - {State.SUCCEEDED, State.CANCELED}
        for look in (both.new.wrong_balances, both.new.unbalanced_entries, both.new.wrong_holds, both.new.wrong_costs,
                     both.new.stuck_parents, both.new.wrong_families):  # fmt: skip
            assert await look() == []
        ends = Counter(
            task_id
            for task_id, state in await rows(database_url, "SELECT task_id, state FROM event")
            if State(state).final
        )
        assert set(ends.values()) == {1}
    finally:
        await both.new.close()


# ---- how the schema of PostgreSQL changes


@pytest.fixture
async def url(postgres):
    async with postgres.database() as url:
        yield url


@pytest.mark.parametrize("done", range(1, 20, 3))
async def test_an_upgrade_that_was_broken_off_goes_on(url, done):
    async with earlier_node(url) as node:
        await node.put([new_task("a") for _ in range(1_200)])
    (text,) = [text for version, _, text in migrations("postgres") if version == 3]
    connection = await asyncpg.connect(url)
    for command in postgres_schema.commands(text)[:done]:
        await connection.execute(command)
    await connection.close()
    store = await Store.open(url)
    try:
        turns = await rows(url, "SELECT turn FROM task ORDER BY seq")
        assert [turn for (turn,) in turns] == [number * CREDIT for number in range(1_200)]
        assert len(await claimed(store, limit=9)) == 9
        names = {name for (name,) in await rows(url, "SELECT indexname FROM pg_indexes WHERE tablename = 'task'")}
        assert names >= INDEXES
        assert "task_queue" not in names
    finally:
        await store.close()


async def test_who_reads_for_long_keeps_the_upgrade_waiting_and_nobody_else(url):
    async with earlier_node(url) as node:
        dump = await asyncpg.connect(url)
        reading = dump.transaction()
        await reading.start()
        await dump.fetch("SELECT * FROM task")
        opening = asyncio.create_task(Store.open(url))
        while not await rows(
            url, "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%ALTER TABLE%' AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.01)
        async with asyncio.timeout(30):  # else it would wait for the dump
            for _ in range(5):
                await node.submit(new_task())
                await node.claim()
        assert not opening.done()
        await reading.rollback()
        await dump.close()
        store = await opening
        assert (await store.counts()).get(State.RUNNING) == 5
        await store.close()


async def test_a_lock_that_is_never_let_go_ends_the_start_with_words(url, monkeypatch):
    monkeypatch.setattr(postgres_schema, "PATIENCE", 0.1)
    async with earlier_node(url):
        dump = await asyncpg.connect(url)
        reading = dump.transaction()
        await reading.start()
        await dump.fetch("SELECT * FROM task, account")
        with pytest.raises(ConnectionError, match="pg_stat_activity"):
            await Store.open(url)
        await reading.rollback()
        await dump.close()
        await (await Store.open(url)).close()


def test_no_command_of_the_schema_locks_a_table_for_long():
    """What is made in a later file than its table: indexes concurrently, rows a few at a time."""
    tables: set[str] = set()
    for _, name, text in migrations("postgres"):
        alone = postgres_schema.ONE_BY_ONE in text
        for command in postgres_schema.commands(text):
            bare = "\n".join(line for line in command.splitlines() if not line.startswith("--")).strip()
            if found := re.match(r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).* ON (\w+)", bare):
                assert found[1] not in tables, f"{name}: {bare}"
            if found := re.search(r"\b(?:UPDATE|DELETE FROM) (\w+)", bare):
                assert found[1] not in tables or postgres_schema.REPEATED in command, f"{name}: {bare}"
            if "ALTER TABLE" in bare and not bare.endswith(")"):
                assert re.fullmatch(
                    r"ALTER TABLE \w+ ADD COLUMN (IF NOT EXISTS )?\w+ [A-Z ]+( NOT NULL DEFAULT \d+)?", bare
                ), bare
            assert alone or not ("CONCURRENTLY" in bare or postgres_schema.REPEATED in command), f"{name}: {bare}"
        tables |= {*re.findall(r"CREATE TABLE (\w+)", text)}
    assert set(SCHEMA) < {version for version, _, _ in migrations("postgres")}


def test_each_schema_file_has_a_number_of_its_own():
    for kind in ("sqlite", "postgres"):
        versions = [version for version, _, _ in migrations(kind)]
        assert len(set(versions)) == len(versions)
