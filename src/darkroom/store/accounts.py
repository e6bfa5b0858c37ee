"""The store's part for accounts, credits, keys and what administrators did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..core import ledger
from ..core.access import Caller, KeyInfo, Rules
from ..core.admin_commands import AuditLine
from ..core.commands import Account
from ..core.ids import new_id
from ..core.ledger import Entry, EntryKind, Line
from .credits import Audit, account_script, audited, entry_script, key_script, login_script, rotate_script
from .database import Database, Row, Script
from .scripts import one_query

LAST = (1 << 63) - 1
decode_rules = msgspec.json.Decoder(Rules).decode
decode_detail = msgspec.json.Decoder(dict[str, Any]).decode


class Accounts:
    """Queries about accounts, over a database. An `audit` is written with what it is about, or not at all."""

    _database: Database

    # ---- accounts and credits

    async def add_account(self, name: str, free: int, now: int) -> Account:
        """Open an account with some free credits."""
        account = Account(new_id(now), name, free, 0, now, free)
        await self._database.write(lambda: account_script(account))
        return account

    async def account(self, account_id: str) -> Account | None:
        """An account with its balance."""
        rows = await self._database.read("account", id=account_id)
        return Account(*rows[0]) if rows else None

    async def accounts(self) -> list[Account]:
        """Every account, oldest first."""
        return [Account(*row) for row in await self._database.read("accounts")]

    async def grant(self, account_id: str, amount: int, now: int) -> bool:
        """Give free credits to an account; false when there is none of this id."""
        return await self.enter(account_id, ledger.grant(amount), now)

    async def enter(self, account_id: str, entry: Entry, now: int, audit: Audit | None = None) -> bool:
        """Write a line that is no task's; false without such an account, or when it has too few credits for it."""
        entered: bool = await self._written(lambda: entry_script(account_id, entry, now), audit)
        return entered

    async def entries(self, account_id: str) -> list[tuple[Entry, str | None]]:
        """An account's whole ledger, in the order in which it was written, with the (internal) task of each entry."""
        rows = await self._database.read("entries", account_id=account_id, before=LAST, limit=LAST)
        return [(line_from(row).entry, row["task_id"]) for row in reversed(rows)]

    async def ledger(self, account_id: str, limit: int, before: int = LAST, public_id: str | None = None) -> list[Line]:
        """A page of an account's ledger, newest first, below the number `before`; of one task, if it is named."""
        page: dict[str, Any] = {"account_id": account_id, "before": max(0, min(before, LAST)), "limit": limit}
        if public_id is None:
            rows = await self._database.read("entries", **page)
        else:
            rows = await self._database.read("entries_of_task", **page, public_id=public_id)
        return [line_from(row) for row in rows]

    # ---- keys

    async def add_key(
        self, key: KeyInfo, digest: str, account: Account | None = None, audit: Audit | None = None
    ) -> None:
        """Keep a new key, and the digest of its secret; with a new account, open that too."""
        await self._written(lambda: key_script(key, digest, account), audit)

    async def login(self, account: Account, key: KeyInfo, digest: str) -> bool:
        """Open an account unless it exists, and keep a key in place of those of the same name; true for a new one."""
        return await self._database.write(lambda: login_script(account, key, digest))

    async def caller(self, digest: str) -> tuple[Caller, int | None] | None:
        """Who has a secret of this digest, unless the key was revoked; and when the secret ends, if it was rotated."""
        rows = await self._database.read("key_by_secret", digest=digest)
        if not rows:
            return None
        return Caller(rows[0]["account_id"], rows[0]["id"], decode_rules(rows[0]["rules"])), rows[0]["expires_at"]

    async def keys(self) -> list[KeyInfo]:
        """Every key, oldest first."""
        return [key_from(row) for row in await self._database.read("keys")]

    async def key(self, key_id: str) -> KeyInfo | None:
        """A key by its id."""
        rows = await self._database.read("key", id=key_id)
        return key_from(rows[0]) if rows else None

    async def rotate_key(
        self, key_id: str, hint: str, digest: str, now: int, until: int, audit: Audit | None = None
    ) -> KeyInfo | None:
        """Give a key another secret; the old one is good until `until`. `None` when there is no such key in use."""
        rows = await self._written(lambda: rotate_script(key_id, hint, digest, now, until), audit)
        return key_from(rows[0]) if rows else None

    async def revoke_key(self, key_id: str, now: int, audit: Audit | None = None) -> KeyInfo | None:
        """Refuse a key from now on; `None` when there is none or it was revoked before."""
        rows = await self._written(lambda: one_query("revoke_key", {"id": key_id, "now": now}), audit)
        return key_from(rows[0]) if rows else None

    # ---- audit

    async def audit(self, limit: int, before: int = LAST) -> list[AuditLine]:
        """A page of what administrators did, newest first, below the number `before`."""
        rows = await self._database.read("audit", before=max(0, min(before, LAST)), limit=limit)
        return [
            AuditLine(row["seq"], row["at"], row["actor"], row["action"], row["subject"], decode_detail(row["detail"]))
            for row in rows
        ]

    async def _written(self, script: Callable[[], Script[Any]], audit: Audit | None) -> Any:
        return await self._database.write(script if audit is None else lambda: audited(script(), audit))


def key_from(row: Row) -> KeyInfo:
    """A row as a key."""
    return KeyInfo(
        row["id"],
        row["account_id"],
        row["hint"],
        row["name"],
        row["created_at"],
        row["revoked_at"],
        decode_rules(row["rules"]),
    )


def line_from(row: Row) -> Line:
    """A row as a line of the ledger."""
    entry = Entry(EntryKind(row["kind"]), row["free"], row["paid"], row["held"])
    return Line(row["seq"], entry, row["public_id"], row["created_at"])
