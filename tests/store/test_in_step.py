"""Scripts that share a transaction on PostgreSQL: as if they had run one after the other, and each by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import asyncpg
import pytest
from lives import claimed, moved, submitted

from darkroom.core import ledger
from darkroom.core.access import Caller, KeyInfo, Rules
from darkroom.core.commands import Account
from darkroom.core.errors import Code, TaskError
from darkroom.core.fairness import length
from darkroom.core.task import File, State, Trigger
from darkroom.store import Store, Verdict
from darkroom.store.credits import entry_row
from darkroom.store.database import connect
from darkroom.store.in_step import RUNNERS, Steps, StuckError
from darkroom.store.queries import statements
from darkroom.store.scripts import event_row
from darkroom.store.set_based import SetBased
from darkroom.testing.databases import LEASE, NOW, check_sums, new_family, new_task

WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
async def url(postgres):
    async with postgres.database() as url:
        yield url


@pytest.fixture
async def store(url):
    store = await Store.open(url)
    yield store
    await store.close()


async def together(store: Store, url: str, *calls: Awaitable[Any]) -> list[Any]:
    """Make calls that wait until every connection for writing is busy, and so come to share a transaction.

    Their answers, and how many transactions that needed.
    """
    lock = await asyncpg.connect(url)
    await lock.execute("SELECT pg_advisory_lock(7)")

    def held():
        yield "held_up", {}

    database = store._database
    text = "SELECT pg_advisory_xact_lock_shared(7)"
    held_up = type(database._statements["accounts"])("held_up", text, text, ())
    database._statements = database._statements | {"held_up": held_up}
    first: list[asyncio.Task[Any]] = []
    for number in range(RUNNERS):
        first.append(asyncio.create_task(database.write(held)))
        while len(await lock.fetch(WAITING)) <= number:
            await asyncio.sleep(0.01)
    calling = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    await lock.execute("SELECT pg_advisory_unlock(7)")
    await lock.close()
    await asyncio.gather(*first)
    return await asyncio.gather(*calling, return_exceptions=True)


async def transactions(url: str) -> set[str]:
    """The transactions that wrote the tasks that are there."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT DISTINCT xmin::text AS number FROM task")
    await connection.close()
    return {row["number"] for row in rows}


async def test_scripts_that_wait_share_a_transaction(store, url):
    accounts = [await store.add_account("caller", 10, NOW) for _ in range(3)]
    tasks = [new_task(accounts[n % 3].id, price=1) for n in range(30)]
    made = await together(store, url, *(store.submit((task,)) for task in tasks))
    assert [each.public_id for each in made] == [task.public_id for task in tasks]
    assert len(await transactions(url)) == 1
    assert [await store.task_of_id(task.id) is not None for task in tasks] == [True] * 30
    assert [account.available for account in await store.accounts()] == [0, 0, 0]
    await check_sums(store)


async def test_one_that_is_refused_leaves_the_others_alone(store, url):
    rich, poor = await store.add_account("rich", 100, NOW), await store.add_account("poor", 2, NOW)
    tasks = [new_task((poor if n % 4 == 0 else rich).id, price=1) for n in range(20)]
    answers = await together(store, url, *(store.submit((task,)) for task in tasks))
    refused = [answer for answer in answers if isinstance(answer, TaskError)]
    assert {error.code for error in refused} == {Code.NO_CREDITS}
    assert len(refused) == 3
    assert len(await store.tasks(rich.id, None, 50)) == 15
    assert len(await store.tasks(poor.id, None, 50)) == 2
    assert sorted(account.available for account in await store.accounts()) == [0, 85]
    await check_sums(store)


async def test_a_script_with_a_mistake_leaves_the_others_alone(store, url):
    def mistaken():
        yield "account", {"id": 5}

    account = await store.add_account("caller", 10, NOW)
    answers = await together(
        store, url, store.submit((new_task(account.id, price=1),)), store._database.write(mistaken)
    )
    assert answers[0].tasks
    assert isinstance(answers[1], asyncpg.DataError)


async def test_a_purse_is_not_overdrawn_by_those_who_share_a_transaction(store, url):
    account = await store.add_account("caller", 7, NOW)
    answers = await together(store, url, *(store.submit((new_task(account.id, price=2),)) for _ in range(12)))
    assert sum(not isinstance(answer, TaskError) for answer in answers) == 3
    await check_sums(store)


async def test_a_limit_of_a_key_holds_among_those_who_share_a_transaction(store, url):
    account = await store.add_account("caller", 100, NOW)
    key = KeyInfo("key", account.id, "sk-…", "caller", NOW, None, Rules(active=3, spend=50))
    await store.add_key(key, "digest")
    caller = Caller(account.id, key.id, key.rules)
    answers = await together(
        store,
        url,
        *(store.submit((new_task(account.id, key_id=key.id, price=1),), caller=caller) for _ in range(10)),
    )
    assert sum(not isinstance(answer, TaskError) for answer in answers) == 3
    await check_sums(store)


async def test_those_who_share_a_transaction_do_not_share_a_turn(store, url):
    account = await store.add_account("caller", 100, NOW)
    tasks = [new_task(account.id, price=2) for _ in range(20)]
    await together(store, url, *(store.submit((task,)) for task in tasks))
    turns = [task.turn for task in await store.tasks(account.id, None, 50)]
    assert len(set(turns)) == 20
    assert max(turns) - min(turns) == 19 * length(2, 1.0)


async def test_one_key_of_idempotency_makes_one_task(store, url):
    account = await store.add_account("caller", 100, NOW)
    answers = await together(
        store,
        url,
        *(
            store.submit((new_task(account.id, price=1),), idempotency_key="once", request_digest="same")
            for _ in range(8)
        ),
    )
    assert len({answer.public_id for answer in answers}) == 1
    assert sum(answer.replayed for answer in answers) == 7
    assert (await store.accounts())[0].available == 99


async def test_a_parent_ends_once_when_its_last_parts_share_a_transaction(store, url):
    account = await store.add_account("caller", 100, NOW)
    family = new_family(account.id, parts=6, price=2)
    await store.submit(family)
    running = await claimed(store, limit=6)
    ended = await together(store, url, *(moved(store, task, Trigger.COMPLETE) for task in running))
    assert {task.state for task in ended} == {State.SUCCEEDED}
    assert [state for _, state, _, _ in await store.events(family[0].id)] == [
        State.QUEUED,
        State.RUNNING,
        State.SUCCEEDED,
    ]
    await check_sums(store)


async def test_an_attempt_ends_once_when_both_ends_share_a_transaction(store, url):
    account = await store.add_account("caller", 100, NOW)
    await submitted(store, account.id, price=4)
    (running,) = await claimed(store)
    ended = await together(store, url, moved(store, running, Trigger.COMPLETE), moved(store, running, Trigger.CANCEL))
    assert [task is not None for task in ended] == [True, False]
    await check_sums(store)


async def test_scripts_that_wait_for_each_other_do_not_wait_for_ever(url):
    database = await connect(url)
    store = Store(database)
    accounts = [await store.add_account(name, 10, NOW) for name in ("first", "second")]

    def both(*ids):
        def script():
            for account_id in ids:
                yield "lock_purses", {"id": account_id}
            return ids

        return script

    scripts = [both(*(account.id for account in each)) for each in (accounts, accounts[::-1])]
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        with pytest.raises(StuckError):
            await Steps(connection, statements(), SetBased()).run(scripts)
    await connection.close()
    answers = await together(store, url, *(database.write(script) for script in scripts))
    assert [answer[0] for answer in answers] == [account.id for account in accounts]
    await database.close()


async def test_many_nodes_that_write_to_the_same_accounts_lose_nothing(url):
    nodes = [await Store.open(url) for _ in range(3)]
    accounts = [await nodes[0].add_account("caller", 1_000, NOW) for _ in range(4)]
    tasks = [new_task(accounts[n % 4].id, price=2) for n in range(240)]
    await asyncio.gather(*(nodes[n % 3].submit((task,)) for n, task in enumerate(tasks)))
    running = await claimed(nodes[0], limit=240)
    assert len(running) == 240
    ended = await asyncio.gather(*(moved(nodes[n % 3], task, Trigger.FAIL) for n, task in enumerate(running)))
    assert all(task is not None for task in ended)
    await check_sums(nodes[0])
    for node in nodes:
        await node.close()


AT_COMMIT = """
    CREATE FUNCTION hang_on() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(8); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON task DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION hang_on();
"""
COMMITTING = "SELECT pid FROM pg_stat_activity WHERE query ILIKE 'commit%' AND wait_event_type = 'Lock'"


async def test_a_connection_that_dies_in_its_commit_leaves_everybody_unsure_and_runs_nothing_again(store, url):
    account = await store.add_account("caller", 100, NOW)
    for _ in range(3):
        await submitted(store, account.id, price=4)
    running = await claimed(store, limit=3)
    guard = await asyncpg.connect(url)
    await guard.execute(AT_COMMIT)
    await guard.execute("SELECT pg_advisory_lock(8)")
    ending = asyncio.create_task(together(store, url, *(moved(store, task, Trigger.COMPLETE) for task in running)))
    while not (found := await guard.fetch(COMMITTING)):
        await asyncio.sleep(0.01)
    await guard.execute("SELECT pg_terminate_backend($1)", found[0]["pid"])
    await guard.execute("SELECT pg_advisory_unlock(8)")
    ended = await ending
    await guard.close()
    assert [getattr(answer, "code", answer) for answer in ended] == [Code.UNAVAILABLE] * 3
    assert {(await store.task_of_id(task.id)).state for task in running} == {State.RUNNING}  # it was no commit
    await check_sums(store)


async def test_ends_and_submits_of_one_account_move_its_credits_at_once(store, url):
    account = await store.add_account("caller", 30, NOW)
    await store.enter(account.id, ledger.grant(1_000, ledger.Purse.PAID), NOW)
    for number in range(12):
        await submitted(store, account.id, price=1 + number % 3)
    running = await claimed(store, limit=12)
    ends = [moved(store, task, (Trigger.COMPLETE, Trigger.FAIL)[n % 2]) for n, task in enumerate(running)]
    submits = [store.submit((new_task(account.id, price=1 + number % 5),)) for number in range(12)]
    answers = await together(store, url, *submits, *ends)
    assert not [answer for answer in answers if isinstance(answer, BaseException)]
    assert {task.state for task in answers[12:]} == {State.SUCCEEDED, State.FAILED}
    await check_sums(store)


async def test_turns_of_several_accounts_and_engines_are_dealt_as_if_one_after_the_other(store, url):
    accounts = [await store.add_account(f"caller {number}", 10, NOW) for number in range(3)]
    kinds = [{"account_id": accounts[n % 3].id, "engine": f"engine-{n % 2}", "priority": n % 2} for n in range(24)]
    for _ in range(2):  # the first ones begin the clocks
        await together(store, url, *(store.submit((new_task(**kind),)) for kind in kinds))
    for account in accounts:
        tasks = await store.tasks(account.id, None, 99)
        for number in range(2):
            turns = sorted(task.turn for task in tasks if task.engine == f"engine-{number}")
            assert turns == [turns[0] + n * length(0, 1.0) for n in range(len(turns))]


async def test_those_who_change_one_row_by_the_same_query_take_turns(store, url):
    await submitted(store)
    (running,) = await claimed(store)
    beats = [store.heartbeat(running, NOW + n, LEASE, progress=n) for n in (10, 30, 20)]
    assert await together(store, url, *beats) == [Verdict.CONTINUE] * 3
    found = await store.task_of_id(running.id)
    assert (found.progress, found.lease_until) == (30, NOW + 20 + LEASE)


def line(task_id: str, number: int):
    """Scripts that write a line of the ledger and one of the history."""

    def script():
        yield "lock_purses", {"id": "nobody"}
        yield "add_event", event_row("nobody", task_id, number, State.QUEUED, 0, NOW)
        yield "add_entry", [entry_row("nobody", ledger.grant(number), NOW, None, None)]
        return (yield "events", {"task_id": task_id})

    return script


async def test_what_nobody_reads_is_written_in_the_end_by_one_statement(store, url):
    connection = await asyncpg.connect(url)
    said: list[str] = []
    with connection.query_logger(lambda record: said.append(record.query)):
        async with connection.transaction():
            await Steps(connection, statements(), SetBased()).run([line("task", number) for number in range(1, 9)])
    assert [query for query in said if "INSERT" in query] == said[-1:]
    for table, column in (("event", "n"), ("entry", "free")):
        rows = await connection.fetch(f"SELECT {column} FROM {table} WHERE account_id = 'nobody' ORDER BY seq")
        assert [row[0] for row in rows] == list(range(1, 9))
    await connection.close()


async def test_who_writes_a_line_that_is_there_already_fails_alone(store, url):
    scripts = [line("first", 1), line("second", 1), line("first", 1), line("third", 1)]
    answers = await together(store, url, *(store._database.write(script) for script in scripts))
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert [type(error) for error in refused] == [asyncpg.UniqueViolationError]
    assert [len(await store.events(task)) for task in ("first", "second", "third")] == [1, 1, 1]
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT COUNT(*) FROM entry") == 3
    await connection.close()


FILE = File("file-1", "inputs/file-1", "image/png", 10, 4, 4)


async def test_a_file_is_left_by_each_who_used_it(store, url):
    await store.add_file("nobody", FILE, NOW)
    for _ in range(3):
        await submitted(store, inputs=(FILE,))
    running = await claimed(store, limit=3)
    await together(store, url, *(moved(store, task, Trigger.COMPLETE) for task in running))
    assert [file.id for file in await store.unused_files(NOW + 2_000)] == [FILE.id]


async def test_an_account_of_one_id_is_opened_once(store, url):
    account = Account("device", "login", 5, 0, NOW, 5)
    keys = [KeyInfo(f"key-{number}", account.id, "sk-…", f"key {number}", NOW, None, Rules()) for number in range(5)]
    opened = await together(store, url, *(store.login(account, key, f"digest of {key.id}") for key in keys))
    assert sorted(opened) == [False] * 4 + [True]
    assert (await store.account(account.id)).available == 5
    await check_sums(store)


async def test_a_row_that_another_connection_changes_meanwhile_is_left_alone_and_the_others_are_changed(store, url):
    account = await store.add_account("caller", 100, NOW)
    for _ in range(3):
        await submitted(store, account.id, price=4)
    running = await claimed(store, limit=3)
    other = await asyncpg.connect(url)
    async with other.transaction():
        await other.execute("UPDATE task SET attempt = attempt + 1 WHERE id = $1", running[1].id)
        ending = asyncio.create_task(together(store, url, *(moved(store, task, Trigger.COMPLETE) for task in running)))
        watching = await asyncpg.connect(url)
        while not await watching.fetch(f"{WAITING} AND query LIKE 'UPDATE task SET state = given%'"):
            await asyncio.sleep(0.01)
        await watching.close()
    assert [task is not None for task in await ending] == [True, False, True]
    found = await store.task_of_id(running[1].id)
    assert (found.state, found.attempt) == (State.RUNNING, running[1].attempt + 1)
    await other.close()
    await check_sums(store)
