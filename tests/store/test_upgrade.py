"""A database of the release before turns: what waits there goes on waiting, and that release goes on working beside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import asyncpg
import pytest
from lives import claimed, submitted
from tables import rows

from darkroom.core.fairness import CREDIT
from darkroom.core.review import HELD
from darkroom.core.task import Gate, Task
from darkroom.store import Store, postgres, sqlite
from darkroom.store.database import migrations
from darkroom.store.queries import statement
from darkroom.store.rows import task_params
from darkroom.store.sqlite import bound
from darkroom.testing.databases import ENGINE, LEASE, NOW, new_task

OLD_INSERT = """
INSERT INTO task (id, public_id, account_id, dialect, operation, model, engine, params, inputs, count, state, progress,
    stage, attempt, failures, priority, run_at, deadline, cancel, warnings, artifacts, price, cost, parent_id, parts,
    metadata, extra, callbacks, key_id, idempotency_key, request_digest, created_at, version)
VALUES (:id, :public_id, :account_id, :dialect, :operation, :model, :engine, :params, :inputs, :count, 'queued', 0,
    '', 0, 0, :priority, :run_at, :deadline, 0, :warnings, '[]', :price, 0, :parent_id, :parts, :metadata,
    :extra, :callbacks, :key_id, :idempotency_key, :request_digest, :created_at, 1)
ON CONFLICT DO NOTHING RETURNING seq
"""
OLD_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM task
    WHERE state = 'queued' AND parts = 0 AND run_at <= :now AND REPLACE(:engines, ',' || engine || ',', '') <> :engines
    ORDER BY priority DESC, seq LIMIT :limit /*skip locked*/
)
UPDATE task SET state = 'running', attempt = attempt + 1, worker = :worker, lease_until = :lease_until,
    started_at = COALESCE(started_at, :now), progress = 0, stage = '', version = version + 1
WHERE id IN (SELECT id FROM due) RETURNING *
"""
FAR = 1 << 50  # beyond the clock of the database, which the migration asks


async def carried_out(url: str, text: str, each: list[dict[str, Any]]) -> list[Any]:
    """What the earlier release does, by its own words."""
    made = statement("old", text)
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"))) as connection, connection:
            return [row for params in each for row in connection.execute(made.text, bound(params)).fetchall()]
    connection = await asyncpg.connect(url)
    try:
        found = [await connection.fetch(made.positional, *(params[name] for name in made.names)) for params in each]
        return [row for part in found for row in part]
    finally:
        await connection.close()


def old(task: Task) -> dict[str, Any]:
    """A task as the earlier release wrote it."""
    return task_params(task, None, None)


@pytest.fixture
async def old_url(database_url, monkeypatch):
    """A database with the schema before turns."""
    for driver in (sqlite, postgres):
        monkeypatch.setattr(driver, "migrations", lambda kind: [each for each in migrations(kind) if each[0] < 3])
    await (await Store.open(database_url)).close()
    for driver in (sqlite, postgres):
        monkeypatch.setattr(driver, "migrations", migrations)
    return database_url


async def test_what_waits_is_lined_up_by_account(old_url):
    whale = [new_task("whale", price=2) for _ in range(40)]
    small = [new_task("small") for _ in range(3)]
    parent = new_task("small", parts=1)
    await carried_out(old_url, OLD_INSERT, [old(task) for task in [*whale, *small, parent]])
    store = await Store.open(old_url)
    try:
        found = [task.account_id for task in await claimed(store, limit=6)]
        assert sorted(found[:3]) == ["small", "small", "whale"]
        assert found.count("small") == 3
        task = await submitted(store, "new")
        assert task.id in [each.id for each in await claimed(store, limit=2)]
        behind = await submitted(store, "whale")
        assert behind.turn == 80 * CREDIT
    finally:
        await store.close()


async def test_what_is_not_due_or_held_is_kept_out_of_the_queue(old_url):
    later, held = new_task(run_at=FAR), new_task(run_at=HELD)
    await carried_out(old_url, OLD_INSERT, [old(later), old(held)])
    store = await Store.open(old_url)
    try:
        assert [(await store.task(task.public_id)).gate for task in (later, held)] == [Gate.TIME, Gate.TIME]
        assert [task.id for task in await store.held()] == [held.id]
        assert await store.next_due((ENGINE,)) == FAR
        assert [task.id for task in await store.claim("worker", (ENGINE,), 9, FAR, LEASE)] == [later.id]
    finally:
        await store.close()


async def test_the_earlier_release_goes_on_submitting_and_claiming(old_url):
    store = await Store.open(old_url)
    try:
        mine = await submitted(store)
        theirs, later = new_task(), new_task(run_at=NOW + 5_000)
        assert len(await carried_out(old_url, OLD_INSERT, [old(theirs), old(later)])) == 2
        assert [task.id for task in await claimed(store, limit=1)] == [mine.id]
        params = {"now": NOW, "engines": f",{ENGINE},", "limit": 9, "worker": "old", "lease_until": NOW + LEASE}
        assert [row[1] for row in await carried_out(old_url, OLD_CLAIM, [params])] == [theirs.id]
        assert await claimed(store, limit=9) == []
        assert (await store.task(later.public_id)).gate is Gate.TIME  # found too early, and put where it belongs
        assert [task.id for task in await claimed(store, limit=9, now=NOW + 5_000)] == [later.id]
    finally:
        await store.close()


async def test_an_upgrade_that_was_broken_off_goes_on(old_url):
    if old_url.startswith("sqlite:"):
        pytest.skip("SQLite does it in one transaction")
    await carried_out(old_url, OLD_INSERT, [old(new_task("a")) for _ in range(5)])
    (text,) = [text for version, _, text in migrations("postgres") if version == 3]
    for command in [part for part in text.split(";\n") if part.strip()][:-3]:
        connection = await asyncpg.connect(old_url)
        await connection.execute(command)
        await connection.close()
    store = await Store.open(old_url)
    try:
        assert len(await claimed(store, limit=9)) == 5
        names = {row[0] for row in await rows(old_url, "SELECT indexname FROM pg_indexes WHERE tablename = 'task'")}
        assert {"task_next", "task_later", "task_limited", "task_running"} <= names
        assert "task_queue" not in names
    finally:
        await store.close()
