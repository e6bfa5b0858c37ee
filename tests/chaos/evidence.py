"""What is left when everything has settled: rows, files and webhooks as they are, past the server's own code."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from standardwebhooks import Webhook

UNSETTLED = """
SELECT (SELECT COUNT(*) FROM task WHERE finished_at IS NULL) AS tasks,
       (SELECT COUNT(*) FROM delivery WHERE finished_at IS NULL) AS deliveries,
       (SELECT COUNT(*) FROM removal) AS removals
"""


@dataclass(slots=True)
class TaskRow:
    """A task; `history` are its states and `numbers` theirs, `files` the keys of its results with their thumbnails."""

    id: str
    public_id: str
    client: str
    state: str
    parent_id: str | None = None
    parts: int = 0
    price: int = 1
    cost: int = 1
    results: int = 1
    count: int = 1
    history: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    files: frozenset[str] = frozenset()


@dataclass(slots=True)
class LedgerLine:
    """One line of the ledger."""

    client: str
    task_id: str | None
    kind: str
    available: int
    held: int
    bank: int = 0
    revenue: int = 0


@dataclass(slots=True)
class Told:
    """One webhook as it was received. `genuine` says that its signature is right."""

    id: str
    event: str
    client: str
    body: str
    genuine: bool = True


@dataclass(slots=True)
class Evidence:
    """All of it. `balances` are (available, held) of each client's account; `inputs` say how many tasks need a key."""

    tasks: list[TaskRow] = field(default_factory=list)
    ledger: list[LedgerLine] = field(default_factory=list)
    balances: dict[str, tuple[int, int]] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)
    stored: frozenset[str] = frozenset()
    told: list[Told] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)  # lines of the servers' logs that no fault explains
    unsettled: dict[str, int] = field(default_factory=dict)


def rows(database: str, query: str) -> list[Mapping[str, Any]]:
    """What a query finds, in either database."""
    if database.startswith("sqlite:"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:"))) as file:
            file.row_factory = sqlite3.Row
            return [dict(row) for row in file.execute(query)]

    async def fetch() -> list[Mapping[str, Any]]:
        connection = await asyncpg.connect(database)
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def unsettled(database: str) -> dict[str, int]:
    """What still goes on, by kind."""
    return {name: count for name, count in rows(database, UNSETTLED)[0].items() if count}


def tasks_of(database: str, clients: Mapping[str, str]) -> list[TaskRow]:
    """Every task, with its history."""
    history: dict[str, list[str]] = defaultdict(list)
    numbers: dict[str, list[int]] = defaultdict(list)
    for event in rows(database, "SELECT task_id, state, n FROM event ORDER BY task_id, n"):
        history[event["task_id"]].append(event["state"])
        numbers[event["task_id"]].append(event["n"])
    found = []
    for row in rows(database, "SELECT * FROM task ORDER BY seq"):
        artifacts = json.loads(row["artifacts"])
        files = frozenset(key for item in artifacts for key in (item["key"], item["thumbnail_key"]) if key)
        names = ("id", "public_id", "state", "parent_id", "parts", "price", "cost", "count")
        known = {name: row[name] for name in names}
        found.append(
            TaskRow(
                **known,
                client=clients.get(row["account_id"], "nobody"),
                results=len(artifacts),
                history=history[row["id"]],
                numbers=numbers[row["id"]],
                files=files,
            )
        )
    return found


def ledger_of(database: str, clients: Mapping[str, str]) -> list[LedgerLine]:
    """Every line of the ledger."""
    return [
        LedgerLine(
            clients.get(row["account_id"], "nobody"),
            row["task_id"],
            row["kind"],
            row["free"] + row["paid"],
            row["held"],
            row["bank"],
            row["revenue"],
        )
        for row in rows(database, "SELECT * FROM entry ORDER BY seq")
    ]


def collect(
    database: str,
    objects: Path,
    received: list[dict[str, Any]],
    receivers: Mapping[str, tuple[str, str]],
    logs: list[str],
) -> Evidence:
    """Everything. `receivers` has the client and the secret of each path; accounts go by the names of their clients."""
    accounts = rows(database, "SELECT id, name, free, paid, held FROM account")
    clients = {row["id"]: row["name"] for row in accounts}
    return Evidence(
        tasks=tasks_of(database, clients),
        ledger=ledger_of(database, clients),
        balances={row["name"]: (row["free"] + row["paid"], row["held"]) for row in accounts},
        inputs={row["object_key"]: row["uses"] for row in rows(database, "SELECT object_key, uses FROM file")},
        stored=frozenset(str(path.relative_to(objects)) for path in objects.rglob("*") if path.is_file()),
        told=[told_of(line, receivers) for line in received],
        bugs=[line for log in logs for line in log.splitlines() if is_bug(line)],
        unsettled=unsettled(database),
    )


def told_of(line: Mapping[str, Any], receivers: Mapping[str, tuple[str, str]]) -> Told:
    """A webhook, with the judgement of an independent library on its signature."""
    client, secret = receivers[line["path"].strip("/")]
    at = datetime.fromtimestamp(int(line["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(line["webhook-id"], at, line["body"])
    genuine = expected in line["webhook-signature"].split(" ")
    return Told(line["webhook-id"], line["darkroom-event"], client, line["body"], genuine)


def is_bug(line: str) -> bool:
    """Whether a line of a log tells of a bug: a trace, which nothing that is expected leaves."""
    return "Traceback" in line
