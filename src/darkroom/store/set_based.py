"""Statements for PostgreSQL that take records: one of them reads or writes for many.

They are made of the texts of single ones. To begin and to end a statement costs the server more than most rows do. The
records are sent as one JSON text, for which neither side needs as long as for arrays. Each has a number, by its place.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache

import asyncpg
import msgspec

from .database import Params, Row, storable
from .queries import INSERT, PARAMETER, Statement, values_of

TOGETHER = 1_000  # records in one statement, at most

UPDATE = re.compile(
    r"UPDATE (?P<table>\w+) SET (?P<set>.*?)\sWHERE id = :id\b(?P<guard>.*?)(?:\sRETURNING (?P<answer>.*))?", re.DOTALL
)

NUMBER = "_number"  # the column with a record's place, from 1 on

Run = Callable[[asyncpg.Connection, Statement, Sequence[Params]], Awaitable[list[list[Row]]]]


class SetBased:
    """The statements of one database. What types their parameters have is asked of the server once."""

    def __init__(self) -> None:
        self._types: dict[Statement, list[str]] = {}

    async def answers(
        self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Params]
    ) -> list[list[Row]]:
        """What a statement answers to each of several parameters."""
        if len(asked) < 2:
            return await one_by_one(connection, statement, asked)
        runs: dict[str, Run] = {"read": self._read, "insert": self._insert, "update": self._update}
        return await runs.get(shape(statement), one_by_one)(connection, statement, asked)

    async def for_each(self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Params]) -> None:
        """Run a statement for each of several parameters. It is an error to insert what is there already."""
        if INSERT.fullmatch(statement.text):
            await self.add(connection, {statement: asked})
        else:
            await connection.executemany(statement.positional_many, values_of(statement, asked))

    async def add(self, connection: asyncpg.Connection, added: Mapping[Statement, Sequence[Params]]) -> None:
        """Insert rows by several statements, all at once. It is an error to insert what is there already."""
        for begin in range(0, max(map(len, added.values()), default=0), TOGETHER):
            part = {statement: rows[begin : begin + TOGETHER] for statement, rows in added.items() if rows[begin:]}
            texts = [
                insert(statement, await self._types_of(connection, statement), ends=False, parameter=number)
                for number, statement in enumerate(part, start=1)
            ]
            await connection.execute(all_of(texts), *map(records, part.values()))

    async def _read(
        self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Params]
    ) -> list[list[Row]]:
        text = read(statement, await self._types_of(connection, statement))
        return dealt(await connection.fetch(text, records(asked)), len(asked))

    async def _insert(
        self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Params]
    ) -> list[list[Row]]:
        text = insert(statement, await self._types_of(connection, statement), ends=True)
        rows = await connection.fetch(text, records(asked))
        key = known_by(statement)
        if key is None:
            return [[] for _ in asked]
        inserted = {row[key]: row for row in rows}  # of several with one key, the first was inserted
        found = [inserted.pop(storable(params[key]), None) for params in asked]
        return [[] if row is None else [row] for row in found]

    async def _update(
        self, connection: asyncpg.Connection, statement: Statement, asked: Sequence[Params]
    ) -> list[list[Row]]:
        """Of those who want the same row, one a statement: in the order in which they came."""
        answers: list[list[Row]] = [[] for _ in asked]
        text = update(statement, await self._types_of(connection, statement))
        ids, left = [storable(params["id"]) for params in asked], list(range(len(asked)))
        while left:
            first = {ids[number]: number for number in reversed(left)}
            now = [first[key] for key in sorted(first)]  # everybody locks rows in this order
            rows = await connection.fetch(text, records([asked[number] for number in now]))
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


async def one_by_one(connection: asyncpg.Connection, statement: Statement, asked: Sequence[Params]) -> list[list[Row]]:
    """Any statement for each of several parameters, in their order and in one round trip."""
    values = values_of(statement, asked)
    if len(values) == 1:
        return [await connection.fetch(statement.positional, *values[0])]
    answers: list[list[Row]] = [[] for _ in asked]
    if values and statement.answers:
        numbered = [(*each, number) for number, each in enumerate(values)]
        for row in await connection.fetchmany(statement.positional_numbered, numbered):
            answers[row["script_number"]].append(row)
    elif values:
        await connection.executemany(statement.positional, values)
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


def records(asked: Sequence[Params]) -> str:
    """Parameters as JSON. Where the text of all of them has nothing that cannot be stored, none has to be looked at."""
    with suppress(UnicodeEncodeError):
        text = msgspec.json.encode(asked)
        if b"\\u0000" not in text:
            return text.decode()
    return msgspec.json.encode([{name: storable(value) for name, value in params.items()} for params in asked]).decode()


def dealt(rows: Sequence[Row], count: int) -> list[list[Row]]:
    """Rows by the numbers of those that they are for."""
    answers: list[list[Row]] = [[] for _ in range(count)]
    for row in rows:
        answers[row[NUMBER] - 1].append(row)
    return answers


def column(name: str) -> str:
    """What a parameter is called in a record: as no column of a table is."""
    return f"_{name}"


def given(text: str) -> str:
    """A text with the columns of the record `given` in place of its parameters."""
    return PARAMETER.sub(lambda found: f"given.{column(found[1])}", text)


def source(statement: Statement, types: Sequence[str], parameter: int = 1) -> str:
    """The records as a table."""
    sent = ", ".join(f'"{name}" {kind}' for name, kind in zip(statement.names, types, strict=True))
    named = ", ".join((*map(column, statement.names), NUMBER))
    return f"ROWS FROM (json_to_recordset(${parameter}::json) AS ({sent})) WITH ORDINALITY AS given ({named})"


def read(statement: Statement, types: Sequence[str]) -> str:
    """The text of a reading query for many.

    `OFFSET 0` keeps PostgreSQL from making a join of it, for which it may read a whole table.
    """
    return (
        f"SELECT found.*, given.{NUMBER} FROM {source(statement, types)}, "  # noqa: S608
        f"LATERAL (SELECT * FROM ({given(statement.text)}) AS one OFFSET 0) AS found"
    )


def insert(statement: Statement, types: Sequence[str], *, ends: bool, parameter: int = 1) -> str:
    """The text of an insert for many. How it ends says what is done with what is there already, and answered."""
    found = INSERT.fullmatch(statement.text)
    assert found is not None
    end = found["end"] if ends else ""
    return f"{found['begin']}SELECT {given(found['row'])} FROM {source(statement, types, parameter)}{end}"  # noqa: S608


def all_of(inserts: Sequence[str]) -> str:
    """Several inserts as one statement."""
    before = ", ".join(f"insert_{number} AS ({text})" for number, text in enumerate(inserts[:-1]))
    return f"WITH {before} {inserts[-1]}" if before else inserts[-1]


def update(statement: Statement, types: Sequence[str]) -> str:
    """The text of an update of single rows for many."""
    found = UPDATE.fullmatch(statement.text)
    assert found is not None
    table, answer = found["table"], found["answer"] or ""
    answer = re.sub(r"^\*", f"{table}.*", given(answer)) + ", " if answer else ""
    return (
        f"UPDATE {table} SET {given(found['set'])} FROM {source(statement, types)} "  # noqa: S608
        f"WHERE {table}.id = given.{column('id')}{given(found['guard'])} RETURNING {answer}given.{NUMBER}"
    )
