"""SQLite: durable commits that are shared, and callers who always get an answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from lives import submitted

from darkroom.core.errors import Code, TaskError
from darkroom.store import Store
from darkroom.store.sqlite import SqliteDatabase
from darkroom.testing.databases import NOW, check_sums, new_task

SUBMIT_FOR_EVER = """
import asyncio, sys
from darkroom.store import Store
from darkroom.testing.databases import new_task

async def submit_all(store):
    while True:
        made = await store.submit((new_task(),))
        print(made.public_id, flush=True)

async def main():
    store = await Store.open(sys.argv[1])
    await asyncio.gather(*(submit_all(store) for _ in range(8)))

asyncio.run(main())
"""

HOLD_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE account SET free = free + 1")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""

OPEN_WHEN_TOLD = """
import sys
from darkroom.store.sqlite import SqliteDatabase
print("ready", flush=True)
sys.stdin.readline()
SqliteDatabase(sys.argv[1])
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "darkroom.db")


@pytest.fixture
async def database(path):
    database = SqliteDatabase(path)
    yield database
    await database.close()


class Gate:
    """Stops the writer thread in the middle of a commit group until it is opened."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._reached = asyncio.Event()
        self._open = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._passing = asyncio.create_task(database.write(self._script))

    def _script(self):
        self._loop.call_soon_threadsafe(self._reached.set)
        assert self._open.wait(timeout=30)
        yield "accounts", {}

    async def reached(self) -> None:
        await asyncio.wait_for(self._reached.wait(), timeout=30)

    async def open(self) -> None:
        self._open.set()
        await self._passing


async def begun(*calls) -> list[asyncio.Task]:
    """Tasks that have run up to their first wait."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    return tasks


def broken_script():
    yield "add_event", {"account_id": "payer", "task_id": None, "n": 1, "state": "queued", "attempt": 0, "now": NOW}


def misspelled_script():
    yield "no_such_query", {}


def raising_script():
    yield "accounts", {}
    raise RuntimeError("a mistake in a script")


def unfinished_script():
    yield "accounts", {"name": "a parameter too many"}
    yield "account", {}  # and one too few


def test_every_commit_is_synced_to_the_disk(path):
    database = SqliteDatabase(path)
    assert database._writer.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert database._writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    asyncio.run(database.close())


async def test_the_reader_cannot_write(database):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database._reader.execute("DELETE FROM task")


async def test_scripts_that_wait_together_share_commits(database):
    statements: list[str] = []
    store = Store(database)
    gate = Gate(database)
    await gate.reached()
    database._writer.set_trace_callback(statements.append)
    submits = await begun(*(store.submit((new_task(),)) for _ in range(200)))
    await gate.open()
    await asyncio.gather(*submits)
    database._writer.set_trace_callback(None)
    assert statements.count("COMMIT") <= 2
    assert sum(statement == "BEGIN IMMEDIATE" for statement in statements) == 1
    assert len(await store.tasks("nobody", None, 1_000)) == 200


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (broken_script, sqlite3.IntegrityError),
        (misspelled_script, KeyError),
        (raising_script, RuntimeError),
        (unfinished_script, KeyError),
    ],
)
async def test_a_script_that_fails_does_not_take_its_group_down(database, script, error):
    store = Store(database)
    gate = Gate(database)
    await gate.reached()
    before, bad, after = await begun(
        store.add_account("before", 1, NOW), database.write(script), store.add_account("after", 1, NOW)
    )
    await gate.open()
    with pytest.raises(error):
        await bad
    assert {account.id for account in await store.accounts()} == {(await before).id, (await after).id}


async def test_a_query_that_sqlite_rejects_fails_alone(database):
    store = Store(database)
    statement = database._statements["accounts"]
    database._statements = database._statements | {"wrong": replace(statement, numbered="SELECT no_such")}
    gate = Gate(database)
    await gate.reached()

    def wrong_script():
        yield "add_account", {"id": "of the wrong script", "name": "", "now": NOW}
        yield "wrong", {}

    good, bad = await begun(store.add_account("caller", 1, NOW), database.write(wrong_script))
    await gate.open()
    with pytest.raises(sqlite3.OperationalError, match="no_such"):
        await bad
    assert await store.accounts() == [await good]


async def test_a_full_disk_is_answered_as_unavailable_and_leaves_no_trace(database, path):
    store = Store(database)
    account = await store.add_account("caller", 1_000, NOW)
    await submitted(store, account.id, price=1)
    (pages,) = database._writer.execute("PRAGMA page_count").fetchone()
    database._writer.execute(f"PRAGMA max_page_count = {pages}")
    gate = Gate(database)
    await gate.reached()
    group = await begun(
        *(store.submit((new_task(account.id, price=1, params={"prompt": "x" * 9_000}),)) for _ in range(20))
    )
    await gate.open()
    for failed in await asyncio.gather(*group, return_exceptions=True):
        assert isinstance(failed, TaskError)
        assert (failed.code, failed.retryable) == (Code.UNAVAILABLE, True)
        assert "full" in failed.detail
    assert len({id(failed.exception()) for failed in group}) == 20
    assert len(await store.tasks(account.id, None, 100)) == 1
    await check_sums(store)
    database._writer.execute("PRAGMA max_page_count = 1073741823")
    await submitted(store, account.id, price=1)
    await check_sums(store)


async def test_a_write_waits_while_another_process_writes(database, path):
    store = Store(database)
    account = await store.add_account("caller", 1, NOW)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert await asyncio.to_thread(other.stdout.readline) == "locked\n"
        granting = asyncio.create_task(store.grant(account.id, 1, NOW))
        assert await store.account(account.id) == account  # and reads do not wait
        done, _ = await asyncio.wait([granting], timeout=0.3)
        assert not done
        other.communicate("go on\n")
    assert await granting
    assert (await store.account(account.id)).available == 3


async def test_a_lock_that_is_never_let_go_is_answered_as_unavailable(database, path):
    store = Store(database)
    await store.add_account("caller", 1, NOW)
    database._writer.execute("PRAGMA busy_timeout = 50")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TaskError) as caught:
            await store.add_account("caller", 1, NOW)
    assert caught.value.code is Code.UNAVAILABLE
    await store.add_account("caller", 1, NOW)
    assert len(await store.accounts()) == 2


async def test_a_caller_who_gave_up_before_its_turn_leaves_nothing_behind(database):
    store = Store(database)
    gate = Gate(database)
    await gate.reached()
    kept, given_up = await begun(store.add_account("kept", 1, NOW), store.add_account("given up", 1, NOW))
    given_up.cancel()
    await asyncio.sleep(0)
    await gate.open()
    await kept
    assert [account.name for account in await store.accounts()] == ["kept"]


async def test_what_waits_is_committed_before_the_database_closes(path):
    database = SqliteDatabase(path)
    store = Store(database)
    gate = Gate(database)
    await gate.reached()
    waiting = await begun(*(store.add_account(f"caller {index}", 1, NOW) for index in range(300)))
    (closing,) = await begun(database.close())
    with pytest.raises(TaskError) as caught:
        await store.add_account("too late", 1, NOW)
    assert caught.value.code is Code.UNAVAILABLE
    await gate.open()
    await closing
    accounts = await asyncio.gather(*waiting)
    reopened = await Store.open(f"sqlite:{path}")
    assert {account.id for account in await reopened.accounts()} == {account.id for account in accounts}
    await reopened.close()


async def test_a_closed_database_says_so_instead_of_waiting_for_ever(path):
    store = await Store.open(f"sqlite:{path}")
    await store.close()
    for call in (store.add_account("caller", 1, NOW), store.accounts()):
        with pytest.raises(TaskError) as caught:
            await asyncio.wait_for(call, timeout=30)
        assert caught.value.code is Code.UNAVAILABLE
        assert "closed" in caught.value.detail
    await store.close()


async def test_closing_folds_the_log_into_the_file(path):
    store = await Store.open(f"sqlite:{path}")
    await submitted(store)
    await store.close()
    assert [file.name for file in Path(path).parent.iterdir()] == ["darkroom.db"]


def test_a_caller_whose_loop_ended_does_not_stop_the_writer(path):
    database = SqliteDatabase(path)
    release = threading.Event()

    def slow_script():
        assert release.wait(timeout=30)
        yield "accounts", {}

    async def leave() -> None:
        await begun(database.write(slow_script))

    asyncio.run(leave())
    release.set()

    async def stay() -> None:
        store = Store(database)
        await store.add_account("caller", 1, NOW)
        assert len(await store.accounts()) == 1
        await database.close()

    asyncio.run(stay())


async def test_a_folder_that_cannot_be_used_stops_the_start(tmp_path):
    (tmp_path / "darkroom.db").mkdir()
    with pytest.raises(ConnectionError, match=r"darkroom\.db"):
        await Store.open(f"sqlite:{tmp_path}/darkroom.db")


async def test_every_acknowledged_task_survives_a_kill(path):
    with subprocess.Popen(
        [sys.executable, "-c", SUBMIT_FOR_EVER, f"sqlite:{path}"], stdout=subprocess.PIPE, text=True
    ) as server:
        acknowledged = [await asyncio.to_thread(server.stdout.readline) for _ in range(100)]
        os.kill(server.pid, signal.SIGKILL)
        acknowledged += [line for line in server.stdout if line.endswith("\n")]
    store = await Store.open(f"sqlite:{path}")
    for line in acknowledged:
        task = await store.task(line.strip())
        assert task is not None
        assert len(await store.events(task.id)) == 1
    (check,) = store._database._reader.execute("PRAGMA integrity_check").fetchone()
    assert check == "ok"
    await store.close()


def test_eight_processes_may_open_a_fresh_database_at_once(path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_WHEN_TOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go on\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0] * 8
