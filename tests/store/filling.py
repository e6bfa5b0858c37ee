"""Rows for every table of a SQLite file, made from its schema: a new table is filled without being named here."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

WORDS = (
    "a",
    "B",
    "Ä",
    "_",
    "z",
    "Z",
    "ß",
    "日本",
    "🎨",
    "a'b",
    'q"',
    "line\nbreak",
    "",
    " ",
)  # no two databases sort alike
# What the CHECKs of a table ask for.
FITTING: dict[tuple[str, str], Any] = {
    ("task", "state"): "succeeded",
    ("task", "progress"): 100,
    ("entry", "kind"): "adjust",
    **{("entry", name): 0 for name in ("free", "paid", "held", "bank", "revenue")},
    ("delivery", "status"): "pending",
    ("delivery", "finished_at"): None,
}
LARGEST = 2**63 - 1
STAY = ("migration", "move")


def fill(path: str, rows: int) -> None:
    """Put so many rows into every table, and take the last of each numbered one away again."""
    with closing(sqlite3.connect(path)) as file, file:
        for name, text in tables(file):
            columns = file.execute(f"PRAGMA table_info({name})").fetchall()
            numbered = "AUTOINCREMENT" in text
            names = [column[1] for column in columns if not (numbered and column[5])]
            kinds = {column[1]: (column[2], bool(column[3])) for column in columns}
            file.executemany(
                f"INSERT INTO {name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                ([value(name, column, *kinds[column], row) for column in names] for row in range(rows)),
            )
            if numbered:
                file.execute(f"DELETE FROM {name} WHERE seq IN (3, ?)", (rows,))


def tables(file: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every table that is moved, and how it was made."""
    found = file.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    return [(name, text) for name, text in found if name not in STAY and not name.startswith("sqlite_")]


def value(table: str, column: str, kind: str, required: bool, row: int) -> Any:
    """Something that a column takes: different in each row, now and then nothing, now and then the largest."""
    if (table, column) in FITTING:
        return FITTING[table, column]
    if not required and row % 3 == 0 and column != "finished_at":
        return None
    if kind == "TEXT":
        return f"{WORDS[row % len(WORDS)]}{row * 7919 % 10_007}{'x' * (row % 50)}"
    if kind == "REAL":
        return row / 3
    assert kind == "INTEGER", (table, column, kind)
    return LARGEST if row == 5 else row
