"""Looks into a database past the store: every row of it, and its schema."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import asyncpg

TABLES = (
    *("account", "api_key", "audit", "batch", "bottleneck", "clock", "delivery", "entry", "event", "file"),
    *("key_secret", "migration", "move", "removal", "signing_key", "standing"),
    *("task", "webhook", "webhook_secret", "worker"),
)

POSTGRES_COLUMNS = """
    SELECT table_name, column_name, is_nullable = 'NO' FROM information_schema.columns WHERE table_schema = 'public'
"""
POSTGRES_INDEXES = """
    SELECT tables.relname, indexes.relname, indisunique, indpred IS NOT NULL,
        ARRAY(SELECT pg_get_indexdef(indexrelid, position, true) FROM generate_series(1, indnatts) AS position)
    FROM pg_index JOIN pg_class AS indexes ON indexes.oid = indexrelid JOIN pg_class AS tables ON tables.oid = indrelid
    WHERE tables.relnamespace = 'public'::regnamespace AND NOT indisprimary
"""
POSTGRES_KEYS = """
    SELECT tables.relname, ARRAY(SELECT pg_get_indexdef(indexrelid, position, true)
        FROM generate_series(1, indnatts) AS position)
    FROM pg_index JOIN pg_class AS tables ON tables.oid = indrelid
    WHERE tables.relnamespace = 'public'::regnamespace AND indisprimary
"""


async def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """The answer to one query, over a connection of its own."""
    return (await answers(url, [query]))[0]


async def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    found = await answers(url, [f"SELECT * FROM {table}" for table in TABLES])
    return {table: sorted(each, key=repr) for table, each in zip(TABLES, found, strict=True)}


async def change(url: str, command: str) -> None:
    """Change rows behind the store's back."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"))) as file, file:
            file.execute(command)
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(command)
    finally:
        await connection.close()


async def answers(url: str, queries: list[str]) -> list[list[tuple[Any, ...]]]:
    """The answers to some queries, over one connection of their own."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"))) as file:
            return [file.execute(query).fetchall() for query in queries]
    connection = await asyncpg.connect(url)
    try:
        return [[tuple(row) for row in await connection.fetch(query)] for query in queries]
    finally:
        await connection.close()


async def columns(url: str) -> set[tuple[str, str, bool]]:
    """Every column: (table, name, whether it must have a value)."""
    if not url.startswith("sqlite:"):
        return {tuple(row) for row in await rows(url, POSTGRES_COLUMNS)}
    tables = [name for (name,) in await rows(url, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {
        (table, name, bool(required))
        for table in tables
        if not table.startswith("sqlite_")
        for _, name, _, required, _, _ in await rows(url, f"PRAGMA table_info({table})")
    }


async def indexes(url: str) -> set[tuple[str, str, bool, bool, tuple[str, ...]]]:
    """Every index that is not a primary key: (table, name, unique, partial, columns)."""
    if not url.startswith("sqlite:"):
        return {(*row[:4], tuple(row[4])) for row in await rows(url, POSTGRES_INDEXES)}
    return {
        (table, name, bool(unique), bool(partial), await indexed(url, name))
        for table in {table for table, _, _ in await columns(url)}
        for _, name, unique, origin, partial in await rows(url, f"PRAGMA index_list({table})")
        if origin != "pk"
    }


async def indexed(url: str, index: str) -> tuple[str, ...]:
    """The columns of one index of SQLite."""
    return tuple(row[2] for row in await rows(url, f"PRAGMA index_info({index})"))


async def primary_keys(url: str) -> set[tuple[str, tuple[str, ...]]]:
    """Every primary key: (table, columns)."""
    if not url.startswith("sqlite:"):
        return {(table, tuple(names)) for table, names in await rows(url, POSTGRES_KEYS)}
    keys = set()
    for table in {table for table, _, _ in await columns(url)}:
        parts = [(row[5], row[1]) for row in await rows(url, f"PRAGMA table_info({table})") if row[5]]
        keys.add((table, tuple(name for _, name in sorted(parts))))
    return keys
