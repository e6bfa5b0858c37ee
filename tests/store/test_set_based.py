"""Statements for many on PostgreSQL: each can be planned, and says of each record what it says of one."""

from __future__ import annotations

import asyncpg
import pytest

from darkroom.core.ids import new_id
from darkroom.core.task import State
from darkroom.store import Store
from darkroom.store.postgres import BEGIN
from darkroom.store.queries import statements
from darkroom.store.rows import task_params
from darkroom.store.scripts import event_row
from darkroom.store.set_based import SetBased, insert, one_by_one, read, shape, update
from darkroom.testing.databases import NOW, new_task

TEXTS = {"read": read, "update": update, "insert": lambda statement, types: insert(statement, types, ends=True)}


@pytest.fixture
async def connection(postgres):
    async with postgres.database() as url:
        await (await Store.open(url)).close()
        connection = await asyncpg.connect(url)
        yield connection
        await connection.close()


async def test_every_text_for_many_is_understood(connection):
    shapes = {name: shape(statement) for name, statement in statements().items()}
    for name, statement in statements().items():
        if shapes[name] in TEXTS:
            types = [each.name for each in (await connection.prepare(statement.positional)).get_parameters()]
            await connection.prepare(TEXTS[shapes[name]](statement, types))
    wanted = {
        "read": {"next_turn", "glance"},
        "insert": {"add_task", "add_event"},
        "update": {"change_task", "use_file"},
    }
    assert all(shapes[name] == kind for kind, names in wanted.items() for name in names)


async def test_no_update_reads_a_whole_table_however_small_it_was_when_it_was_planned(connection):
    await connection.execute("ANALYZE")
    await connection.execute(f"SET plan_cache_mode = force_generic_plan; {BEGIN}")
    for name, statement in statements().items():
        if shape(statement) == "update":
            types = [each.name for each in (await connection.prepare(statement.positional)).get_parameters()]
            await connection.execute(f"PREPARE {name} (text) AS {update(statement, types)}")
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE {name} ('[]')"))
            assert "Seq Scan" not in plan, plan


ODD = {
    "metadata": """{"quote": "it's", "both": "\\"\\\\", "text": "日本 \U0001f600 \\u0000"}""",
    "params": "\t\n\x7f\u2028",
    "price": 2**53 + 1,
    "created_at": 2**63 - 1,
    "key_id": None,
    "count": -(2**63),
}


async def test_values_arrive_as_they_were_sent(connection):
    statement = statements()["add_task"]
    tasks = [{**task_params(new_task(), f"key {n}", None), "turn": n, "gate": 0, **ODD} for n in range(3)]
    added = await SetBased().answers(connection, statement, tasks)
    assert [row["id"] for (row,) in added] == [task["id"] for task in tasks]
    found = await connection.fetch("SELECT * FROM task ORDER BY seq")
    assert [{name: row[name] for name in ODD} for row in found] == [ODD] * 3
    assert [row["seq"] for (row,) in added] == [row["seq"] for row in found]


UNFIT = {"public_id": "nul \x00", "metadata": "half \ud83d of a pair", "extra": "\\u0000 is text"}


async def test_what_cannot_be_stored_is_replaced_and_the_rest_stays(connection):
    statement = statements()["add_task"]
    fit, unfit = ({**task_params(new_task(), None, None), "turn": 0, "gate": 0} for _ in range(2))
    for name, value in UNFIT.items():
        await SetBased().answers(connection, statement, [fit, {**unfit, name: value}])
        (row,) = await connection.fetch("DELETE FROM task WHERE id = $1 RETURNING *", unfit["id"])
        assert row[name] == {"public_id": "nul \ufffd", "metadata": "half ? of a pair"}.get(name, value)
        assert row["model"] == unfit["model"]


async def test_what_is_there_already_gets_no_row(connection):
    statement = statements()["add_task"]
    tasks = [{**task_params(new_task(), key, None), "turn": 0, "gate": 0} for key in ("a", "b", "a", None, None)]
    first = await SetBased().answers(connection, statement, tasks)
    assert [len(rows) for rows in first] == [1, 1, 0, 1, 1]
    again = await SetBased().answers(connection, statement, [*tasks, tasks[0]])
    assert again == [[]] * 6


async def test_reads_of_many_are_those_of_each(connection):
    statement = statements()["waiting_before"]
    add = statements()["add_task"]
    for number in range(30):
        task = task_params(new_task(model=f"model-{number % 3}", priority=number % 2), None, None)
        await one_by_one(connection, add, [{**task, "turn": number, "gate": 0}])
    place = {"engine": "example", "limit": 4, "seq": 5, "priority": 0}
    looks = [{**place, "model": f"model-{n % 4}", "turn": 5 * n} for n in range(9)]
    together = await SetBased().answers(connection, statement, looks)
    alone = await one_by_one(connection, statement, looks)
    assert [[row["tasks"] for row in rows] for rows in together] == [[row["tasks"] for row in rows] for rows in alone]


async def test_more_rows_than_one_statement_takes_are_all_inserted_in_their_order(connection):
    statement = statements()["add_event"]
    rows = [event_row(new_id(NOW), "task", number, State.QUEUED, 0, NOW) for number in range(2_345)]
    await SetBased().for_each(connection, statement, rows)
    found = await connection.fetch("SELECT n FROM event ORDER BY seq")
    assert [row["n"] for row in found] == list(range(2_345))
    with pytest.raises(asyncpg.UniqueViolationError):
        await SetBased().for_each(connection, statement, rows[:1])
