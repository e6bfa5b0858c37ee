"""A database that moves to another kind: everything arrives, whatever happens on the way, and nobody loses by it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import Any

import asyncpg
import pytest
from filling import STAY, fill, tables
from lives import claimed, submitted
from tables import change, contents

from darkroom.store import Store
from darkroom.store.database import connect
from darkroom.store.file_lock import held
from darkroom.store.moving import Move, Moved, MoveError, moving, opened
from darkroom.testing.databases import NOW, new_task

ROWS = 600  # more than two pages


@pytest.fixture
async def source(tmp_path) -> str:
    """A SQLite file with rows in every table."""
    return await filled(tmp_path / "old" / "darkroom.db", ROWS)


@pytest.fixture
async def target(postgres):
    async with postgres.database() as url:
        yield url


async def filled(path, rows: int) -> str:
    url = f"sqlite:{path}"
    await (await Store.open(url)).close()
    fill(str(path), rows)
    return url


def silent(subject: str, text: str, *, last: bool = False) -> None:
    """Nobody listens."""


async def moved(source: str, target: str, tell=silent) -> Moved:
    async with moving(source, target, tell, NOW) as move:
        return await move.run()


async def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of what is moved."""
    found = await contents(url)
    return {name: rows for name, rows in found.items() if name not in STAY}


async def test_every_table_is_moved_with_every_row_to_postgresql_and_back(source, target, tmp_path):
    before = await everything(source)
    assert all(len(rows) >= ROWS - 2 for rows in before.values())  # the filling left no table out
    with closing(sqlite3.connect(source.removeprefix("sqlite:"))) as file:
        assert {name for name, _ in tables(file)} == set(before)
    done = await moved(source, target)
    assert (done.tables, done.rows) == (len(before), sum(map(len, before.values())))
    assert await everything(target) == before
    back = f"sqlite:{tmp_path}/new/darkroom.db"
    assert (await moved(target, back)).rows == done.rows
    assert await everything(back) == before


async def test_new_rows_are_numbered_behind_those_that_were_ever_there(source, target, tmp_path):
    await moved(source, target)
    for url in (target, f"sqlite:{tmp_path}/new/darkroom.db"):
        if url.startswith("sqlite:"):
            await moved(target, url)
        store = await Store.open(url)
        expected = ROWS + 1 if url == target else ROWS + 2  # the last row was deleted, and its number is not used again
        assert (await submitted(store)).seq == expected
        assert await store.last_event("nobody") == expected
        await store.close()


async def test_numbers_begin_at_one_where_there_never_was_a_row(tmp_path, target):
    empty = f"sqlite:{tmp_path}/darkroom.db"
    await (await Store.open(empty)).close()
    assert (await moved(empty, target)).rows == 0
    store = await Store.open(target)
    assert (await submitted(store)).seq == 1
    await store.close()


# ---- whatever happens


class BrokenError(Exception):
    """What happens on the way."""


class Breaking:
    """A side that breaks before its n-th step; both sides of a move count together."""

    def __init__(self, side: Any, left: list[int]) -> None:
        self._side = side
        self._left = left

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._side, name)
        if callable(found):
            self._left[0] -= 1
            if self._left[0] < 0:
                raise BrokenError(name)
        return found


@asynccontextmanager
async def breaking(source: str, target: str, steps: int):
    left = [steps]
    async with opened(source, new=False) as old, opened(target, new=True) as new:
        yield Move(Breaking(old, left), Breaking(new, left), silent, NOW)


async def test_a_move_that_breaks_off_anywhere_goes_on(tmp_path, target):
    source = await filled(tmp_path / "darkroom.db", 3)
    before = await everything(source)
    for steps in range(0, 1_000, 3):
        try:
            async with breaking(source, target, steps) as move:
                await move.run()
        except BrokenError:
            continue
        break
    assert steps > 100
    assert await everything(target) == before
    await (await Store.open(target)).close()


async def test_what_changes_in_the_old_database_between_two_runs_is_moved_too(source, target):
    halfway = asyncio.Event()

    def stop(subject: str, text: str, *, last: bool = False) -> None:
        if subject == "task":
            halfway.set()
            raise BrokenError

    with pytest.raises(BrokenError):
        await moved(source, target, stop)
    assert halfway.is_set()
    with pytest.raises(ValueError, match=r"the move from sqlite:.* to here is not finished"):
        await Store.open(target)
    for table, column in (("account", "name"), ("event", "state"), ("task", "model")):
        await change(source, f"UPDATE {table} SET {column} = 'changed' WHERE rowid IN (2, 300)")
        await change(source, f"DELETE FROM {table} WHERE rowid IN (5, 400)")
    await change(source, "INSERT INTO removal (task_id) VALUES ('!')")
    before = await everything(source)
    await moved(source, target)
    assert await everything(target) == before


async def test_a_row_that_somebody_else_changes_meanwhile_is_found_and_put_right(source, target):
    tampered = []

    async def tamper() -> None:
        connection = await asyncpg.connect(target)
        await connection.execute("UPDATE account SET held = held + 1 WHERE held = 7")
        await connection.close()

    class Tampered(Breaking):
        def __getattr__(self, name: str) -> Any:
            if name == "settle":
                tampered.append(name)
                return tamper
            return getattr(self._side, name)

    with pytest.raises(MoveError, match="account differs"):
        async with opened(source, new=False) as old, opened(target, new=True) as new:
            await Move(old, Tampered(new, []), silent, NOW).run()
    assert tampered
    await moved(source, target)
    assert await everything(target) == await everything(source)


# ---- what is refused


async def test_a_target_with_other_data_is_refused_and_left_alone(source, target):
    store = await Store.open(target)
    await submitted(store)
    await store.close()
    before = await contents(target)
    with pytest.raises(MoveError, match=r"holds other data \(in clock, event, standing, task\)"):
        await moved(source, target)
    assert await contents(target) == before
    await (await Store.open(source)).close()


async def test_a_target_with_somebody_elses_tables_is_refused(source, target):
    await change(target, "CREATE TABLE account (id INT)")
    with pytest.raises(MoveError, match="Darkroom's own"):
        await moved(source, target)


async def test_part_of_another_database_is_refused(source, target, tmp_path):
    other = await filled(tmp_path / "other.db", 3)
    with pytest.raises(BrokenError):
        async with breaking(other, target, 60) as move:
            await move.run()
    with pytest.raises(MoveError, match=r"holds part of sqlite:.*other\.db"):
        await moved(source, target)
    assert (await moved(other, target)).rows > 0


async def test_a_file_that_a_server_holds_is_refused(source, target):
    with held(source.removeprefix("sqlite:")), pytest.raises(MoveError, match="stop it and run this again"):
        await moved(source, target)


async def test_who_administers_the_old_database_meanwhile_cannot_write(source, target, monkeypatch):
    monkeypatch.setattr("darkroom.store.sqlite.BUSY_TIMEOUT", 0.1)
    store = await Store.open(source)
    tried = []

    def write(subject: str, text: str, *, last: bool = False) -> None:
        if not tried:
            with (
                closing(sqlite3.connect(source.removeprefix("sqlite:"), timeout=0.1)) as file,
                pytest.raises(sqlite3.OperationalError, match="locked") as caught,
            ):
                file.execute("DELETE FROM removal")
            tried.append(caught)

    await moved(source, target, write)
    await store.close()
    assert tried


async def test_a_postgresql_that_somebody_uses_is_refused_on_either_side(source, target, tmp_path, monkeypatch):
    monkeypatch.setattr("darkroom.store.moving.postgres.GOING", 0.3)
    store = await Store.open(target)
    with pytest.raises(MoveError, match=r"is in use \(process \d+ for 127"):
        await moved(source, target)
    await store.close()
    await moved(source, target)
    store = await Store.open(target)
    with pytest.raises(MoveError, match="is in use"):
        await moved(target, f"sqlite:{tmp_path}/back.db")
    assert len(await claimed(store)) == 0
    await store.close()


async def test_nobody_uses_the_old_database_afterwards_and_to_repeat_it_does_nothing(source, target, postgres):
    await moved(source, target)
    with pytest.raises(ValueError, match=r"everything was moved from here to postgresql://127\.0\.0\.1"):
        await Store.open(source)
    store = await Store.open(target)
    await submitted(store)
    await store.close()
    before = await contents(target)
    assert (await moved(source, target)).before == NOW
    assert await contents(target) == before
    async with postgres.database() as third:
        with pytest.raises(MoveError, match="was moved to postgresql://"):
            await moved(source, third)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("sqlite:a.db", "sqlite:b.db"),
        ("postgresql://host/a", "postgresql://host/b"),
        ("sqlite:a.db", "mysql://user:secret@host/a"),
        ("sqlite:", "postgresql://127.0.0.1:1/a"),
        ("sqlite:a.db", "postgresql://user:secret@127.0.0.1:1/a"),
        ("sqlite:darkroom.db", "postgresql://127.0.0.1:1/a"),
        ("sqlite:darkroom.db", "postgresql://user:sec[ret@/a"),
    ],
)
async def test_what_cannot_work_is_refused_without_a_password(source, target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    await (await connect("sqlite:darkroom.db")).close()
    with pytest.raises(MoveError) as caught:
        await moved(source, target)
    assert "sec" not in str(caught.value).replace("second", "")
    assert not (tmp_path / "a.db").exists()


async def test_a_value_that_postgresql_has_no_place_for_is_named(tmp_path, target):
    source = await filled(tmp_path / "darkroom.db", 3)
    await change(source, "UPDATE webhook SET url = 'a' || char(0) || 'b' WHERE created_at = 1")
    with pytest.raises(MoveError, match="webhook: PostgreSQL refuses a row from"):
        await moved(source, target)
    await change(source, "UPDATE webhook SET url = 'mended'")
    await moved(source, target)
    assert await everything(target) == await everything(source)


async def test_a_copy_that_is_served_on_does_not_disturb(source, target, tmp_path):
    """The mark of a move that was begun stops nobody: the old database goes on until the new one is complete."""
    with pytest.raises(BrokenError):
        async with breaking(source, target, 40) as move:
            await move.run()
    store = await Store.open(source)
    made = await store.submit((new_task("somebody"),))
    await store.close()
    shutil.copy(source.removeprefix("sqlite:"), tmp_path / "copy.db")
    await moved(source, target)
    store = await Store.open(target)
    assert await store.task(made.public_id) is not None
    await store.close()
