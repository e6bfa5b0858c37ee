"""Statements for PostgreSQL that take records: one of them reads or writes for many.

They are made of the texts of single ones. To begin and to end a statement costs the server more than most rows do. The
records are sent as one JSON text, for which neither side needs as long as for arrays.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

import asyncpg
import msgspec

from .database import Row
from .queries import INSERT, PARAMETER, Statement, Values

TOGETHER = 1_000  # records in one statement, at most

UPDATE = re.compile(
    r"UPDATE (?P<table>\w+) SET (?P<set>.*?)\sWHERE id = :id\b(?P<guard>.*?)(?:\sRETURNING (?P<answer>.*))?", re.DOTALL
)

Run = Callable[[asyncpg.Connection, Statement, Sequence[Values]], Awaitable[list[list[Row]]]]


class SetBased:
    """The statements of one database. What types their parameters have is asked of the server once."""

    def __init__(self) -> None:
        self._types: dict[Statement, list[str]] = {}

    async def answers(
        self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Values]
    ) -> list[list[Row]]:
        """What a statement answers to each of several parameters."""
        if len(asked) < 2:
            return await one_by_one(connection, statement, asked)
        runs: dict[str, Run] = {"read": self._read, "insert": self._insert, "update": self._update}
        return await runs.get(shape(statement), one_by_one)(connection, statement, asked)

    async def for_each(self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Values]) -> None:
        """Run a statement for each of several parameters. It is an error to insert what is there already."""
        if not INSERT.fullmatch(statement.text):
            await connection.executemany(statement.positional_many, asked)
        elif asked:
            text = insert(statement, await self._types_of(connection, statement), ends=False)
            for begin in range(0, len(asked), TOGETHER):
                await connection.execute(text, records(statement, asked[begin : begin + TOGETHER]))

    async def _read(
        self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Values]
    ) -> list[list[Row]]:
        text = read(statement, await self._types_of(connection, statement))
        return dealt(await connection.fetch(text, records(statement, asked)), len(asked))

    async def _insert(
        self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Values]
    ) -> list[list[Row]]:
        text = insert(statement, await self._types_of(connection, statement), ends=True)
        rows = await connection.fetch(text, records(statement, asked))
        key = known_by(statement)
        if key is None:
            return [[] for _ in asked]
        inserted = {row[key]: row for row in rows}  # of several with one key, the first was inserted
        found = [inserted.pop(values[statement.names.index(key)], None) for values in asked]
        return [[] if row is None else [row] for row in found]

    async def _update(
        self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Values]
    ) -> list[list[Row]]:
        """Of those who want the same row, one a statement: in the order in which they came."""
        answers: list[list[Row]] = [[] for _ in asked]
        text = update(statement, await self._types_of(connection, statement))
        place, left = statement.names.index("id"), list(range(len(asked)))
        while left:
            first = {asked[number][place]: number for number in reversed(left)}
            now = [first[key] for key in sorted(first)]  # everybody locks rows in this order
            rows = await connection.fetch(text, records(statement, [asked[number] for number in now]))
            for number, found in zip(now, dealt(rows, len(now)), strict=True):
                answers[number] = found
            left = sorted(set(left).difference(now))
        return answers

    async def _types_of(self, connection: asyncpg.Connection, statement: Statement) -> list[str]:
        types = self._types.get(statement)
        if types is None:
            prepared = await connection.prepare(statement.positional)
            types = self._types[statement] = [each.name for each in prepared.get_parameters()]
        return types


async def one_by_one(connection: asyncpg.Connection, statement: Statement, asked: Sequence[Values]) -> list[list[Row]]:
    """Any statement for each of several parameters, in their order and in one round trip."""
    if len(asked) == 1:
        return [await connection.fetch(statement.positional, *asked[0])]
    answers: list[list[Row]] = [[] for _ in asked]
    if asked and statement.answers:
        numbered = [(*values, number) for number, values in enumerate(asked)]
        for row in await connection.fetchmany(statement.positional_numbered, numbered):
            answers[row["script_number"]].append(row)
    elif asked:
        await connection.executemany(statement.positional, asked)
    return answers


@cache
def shape(statement: Statement) -> str:
    """How it can be run for many; "other" where it cannot."""
    if statement.reads:
        return "read" if statement.names else "other"
    if (found := INSERT.fullmatch(statement.text)) and (not found["answer"] or known_by(statement)):
        return "insert"
    return "update" if UPDATE.fullmatch(statement.text) else "other"


@cache
def known_by(statement: Statement) -> str | None:
    """The parameter by which the answer of an insert says whom it is for."""
    found = INSERT.fullmatch(statement.text)
    answer = (found["answer"] if found else None) or ""
    return next((name for name in answer.split(", ") if name in statement.names), None)


def records(statement: Statement, asked: Sequence[Values]) -> str:
    """Parameters as JSON, each with its number among the others."""
    names = (*map(column, statement.names), column("number"))
    return msgspec.json.encode(
        [dict(zip(names, (*values, number), strict=True)) for number, values in enumerate(asked)]
    ).decode()


def dealt(rows: Sequence[Row], count: int) -> list[list[Row]]:
    """Rows by the numbers of those that they are for."""
    answers: list[list[Row]] = [[] for _ in range(count)]
    for row in rows:
        answers[row[column("number")]].append(row)
    return answers


def column(name: str) -> str:
    """What a parameter is called in a record: as no column of a table is."""
    return f"_{name}"


def given(text: str) -> str:
    """A text with the columns of the record `given` in place of its parameters."""
    return PARAMETER.sub(lambda found: f"given.{column(found[1])}", text)


def source(statement: Statement, types: Sequence[str]) -> str:
    """The records as a table."""
    columns = ", ".join(f"{column(name)} {kind}" for name, kind in zip(statement.names, types, strict=True))
    return f"json_to_recordset($1::json) AS given ({columns}, {column('number')} int8)"


def read(statement: Statement, types: Sequence[str]) -> str:
    """The text of a reading query for many.

    `OFFSET 0` keeps PostgreSQL from making a join of it, for which it may read a whole table.
    """
    return (
        f"SELECT found.*, given.{column('number')} FROM {source(statement, types)}, "  # noqa: S608
        f"LATERAL (SELECT * FROM ({given(statement.text)}) AS one OFFSET 0) AS found"
    )


def insert(statement: Statement, types: Sequence[str], *, ends: bool) -> str:
    """The text of an insert for many. How it ends says what is done with what is there already, and answered."""
    found = INSERT.fullmatch(statement.text)
    assert found is not None
    end = found["end"] if ends else ""
    return f"{found['begin']}SELECT {given(found['row'])} FROM {source(statement, types)}{end}"  # noqa: S608


def update(statement: Statement, types: Sequence[str]) -> str:
    """The text of an update of single rows for many."""
    found = UPDATE.fullmatch(statement.text)
    assert found is not None
    table, answer = found["table"], found["answer"] or ""
    answer = re.sub(r"^\*", f"{table}.*", given(answer)) + ", " if answer else ""
    return (
        f"UPDATE {table} SET {given(found['set'])} FROM {source(statement, types)} "  # noqa: S608
        f"WHERE {table}.id = given.{column('id')}{given(found['guard'])} RETURNING {answer}given.{column('number')}"
    )
