"""Reads `sql/*.sql`: one text of every query for both databases, parameters written `:name`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

from .database import Params, storable, storables

NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
ONE_ROW = re.compile(r"\s+ON CONFLICT DO NOTHING RETURNING [\w, ]+$")  # half the time of an insert into SQLite
WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")
PARAMETER = re.compile(r"(?<!:):([a-z_]+)")
Values = tuple[Any, ...]
INSERT = re.compile(
    r"(?P<begin>INSERT (?:/\*last\*/ )?INTO \w+ \([^()]*\)\s)VALUES \((?P<row>[^()]*)\)"
    r"(?P<end>(?:\s+ON CONFLICT DO NOTHING)?(?:\s+RETURNING (?P<answer>[\w, ]+))?)"
)
MANY = 8  # records, from which on it is quicker to go by columns


@dataclass(frozen=True, eq=False)
class Statement:
    """One query. `positional` is the text for asyncpg and `numbered` that for SQLite, with parameters in the order of
    `names`.

    Inserted many times over, by `many`, it sends nothing back and takes what is taken already for an error. `locks` are
    rows that nobody else may have before the transaction ends; `contended` are rows of an account, which many change.
    `last` inserts what nothing in a transaction reads; `shared` is a read that is often made by several at once. There
    is one object for each query, so that what is derived from its text is derived once.
    """

    name: str
    text: str
    positional: str
    names: tuple[str, ...]
    locks: bool = False
    contended: bool = False
    last: bool = False
    shared: bool = False
    numbered: str = ""

    @cached_property
    def answers(self) -> bool:
        """Whether it sends rows."""
        return "RETURNING" in self.text or not self.text.startswith(("INSERT", "UPDATE", "DELETE"))

    @cached_property
    def reads(self) -> bool:
        """Whether it changes nothing, so that whoever asks the same gets the same."""
        return not self.locks and not WRITES.search(self.text)

    @cached_property
    def positional_numbered(self) -> str:
        """The text for asyncpg with one parameter more, which stands behind each row: for whom the row is."""
        number = f"CAST(${len(self.names) + 1} AS BIGINT)"
        return f"WITH answer AS ({self.positional}) SELECT answer.*, {number} AS script_number FROM answer"  # noqa: S608

    @cached_property
    def many(self) -> str:
        """The text for many rows and SQLite."""
        return ONE_ROW.sub("", self.numbered)

    def together(self, rows: int) -> str | None:
        """The text that inserts several rows at once into SQLite; `None` where it is no such insert.

        OR FAIL, as whoever runs it takes back what a failed script has written: otherwise SQLite keeps a journal for
        each statement, which costs as much as the rows.
        """
        found = INSERT.fullmatch(ONE_ROW.sub("", self.text))
        if found is None or found["end"] or PARAMETER.findall(found["row"]) != list(self.names):
            return None
        begin = found["begin"].replace("INSERT", "INSERT OR FAIL", 1)
        return begin + "VALUES " + ", ".join([f"({PARAMETER.sub('?', found['row'])})"] * rows)

    @cached_property
    def positional_many(self) -> str:
        """The text for many rows and asyncpg."""
        return ONE_ROW.sub("", self.positional)


@cache
def statements() -> dict[str, Statement]:
    """Every query by name."""
    folder = resources.files(__package__).joinpath("sql")
    texts = [item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".sql")]
    found = [part for text in texts for part in NAME.split(text)[1:]]
    return {name: statement(name, block) for name, block in zip(found[0::2], found[1::2], strict=True)}


def statement(name: str, block: str) -> Statement:
    """One block of the file: comments go, locks are for PostgreSQL alone."""
    lines = (line for line in block.splitlines() if not line.startswith("--"))
    text = "\n".join(lines).strip()
    names = tuple(dict.fromkeys(PARAMETER.findall(text)))
    locked = text.replace("/*skip locked*/", "FOR UPDATE SKIP LOCKED").replace("/*for update*/", "FOR UPDATE")
    positional = PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", locked)
    numbered = PARAMETER.sub(lambda match: f"?{names.index(match[1]) + 1}", text)
    locks, contended, last, shared = (f"/*{mark}*/" in text for mark in ("for update", "contended", "last", "shared"))
    return Statement(name, text, positional, names, locks, contended, last, shared, numbered)


def arguments(statement: Statement, params: Params) -> Values:
    """Parameters in the order of their numbers."""
    return tuple([storable(params[name]) for name in statement.names])


def values_of(statement: Statement, asked: Sequence[Params]) -> list[Values]:
    """The parameters of several, each in the order of their numbers. Of many, a column is looked at as a whole."""
    if len(asked) < MANY or not statement.names:
        return [arguments(statement, params) for params in asked]
    columns = [storables([params[name] for params in asked]) for name in statement.names]
    return list(zip(*columns, strict=True))
