"""Scripts that move credits, and those about keys: parts of a transaction, or whole ones.

The rules are in `core.ledger` and `core.access`; a script only carries them out. Every one that writes ledger lines
has changed the account's row before, so the lines of an account stand in the order in which they were written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..core import ledger
from ..core.access import DAY, Caller, KeyInfo, check_active, check_spend
from ..core.commands import Account
from ..core.errors import Code, TaskError
from ..core.ledger import Entry
from ..core.machine import Change
from ..core.task import Task
from .database import Row, Script
from .rows import dump

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Audit:
    """Who does something that is to be remembered, what, and when (UTC milliseconds)."""

    actor: str
    action: str
    subject: str
    at: int
    detail: Mapping[str, Any]


def audited(script: Script[T], audit: Audit) -> Script[T]:
    """A script, and a line of the audit log if it did something."""
    done = yield from script
    if done:
        yield (
            "add_audit",
            {
                "now": audit.at,
                "actor": audit.actor,
                "action": audit.action,
                "subject": audit.subject,
                "detail": dump(audit.detail),
            },
        )
    return done


# ---- what a submit costs


def admit(tasks: tuple[Task, ...], caller: Caller) -> Script[None]:
    """Refuse what is beyond the limits of the caller's key. Its row is locked, so that two submits take turns."""
    now = tasks[0].created_at
    found = yield "lock_key", {"id": caller.key_id}
    if not found:
        raise TaskError(Code.INVALID_KEY, "The API key was revoked.")
    if caller.rules.active:
        counted = yield "active_of_key", {"key_id": caller.key_id}
        new = sum(not task.parts for task in tasks)  # they are there already
        check_active(caller.rules, counted[0]["tasks"] - new, new)
    amount = sum(task.price for task in tasks)
    if caller.rules.spend and amount:
        day = now // DAY
        spent = found[0]["spent"] if found[0]["spent_day"] == day else 0
        check_spend(caller.rules, spent, amount, now)
        yield "spend", {"id": caller.key_id, "spent": spent + amount, "day": day}


def hold(tasks: tuple[Task, ...]) -> Script[None]:
    """Set aside what the tasks cost, or refuse them all."""
    first = tasks[0]
    amount = sum(task.price for task in tasks)
    if not amount:
        return
    drawn = yield "move_credits", {"account_id": first.account_id, "draw": amount, "free": 0, "paid": 0, "held": amount}
    if not drawn:
        raise TaskError(Code.NO_CREDITS, f"The account has too few credits: this request costs {amount}.")
    free = drawn[0]["drawn_free"]
    lines = []
    for task in tasks:
        for entry in ledger.hold(task.price, free):
            lines.append((task, entry))
            free += entry.free
    rows = [
        entry_row(
            task.account_id, entry, task.created_at, task.id, first.public_id if task.parent_id else task.public_id
        )
        for task, entry in lines
    ]
    yield "add_entry", rows  # the tasks are new, and so are their lines


def settle(change: Change, row: Row) -> Script[None]:
    """End the hold of a task that is final, as `row` says that it was made."""
    entries = ledger.settle(change.price, change.cost, row["held_free"] or 0)
    back = sum(entry.available for entry in entries)
    if back and row["key_id"]:
        yield "unspend", {"id": row["key_id"], "amount": back, "day": row["created_at"] // DAY}
    yield from move_credits(change.account_id, entries)
    yield (
        "add_entry",
        [entry_row(change.account_id, entry, change.at, change.task_id, row["held_for"]) for entry in entries],
    )


# ---- accounts


def account_script(account: Account) -> Script[bool]:
    """An account and its first grant, to the free purse; false when there is one of this id."""
    added = yield "add_account", {"id": account.id, "name": account.name, "now": account.created_at}
    if added and account.free:
        yield from entry_script(account.id, ledger.grant(account.free), account.created_at)
    return bool(added)


def entry_script(account_id: str, entry: Entry, now: int) -> Script[bool]:
    """A line that belongs to no task; false when there is no such account, or it has not as much as is taken."""
    purses = yield "lock_purses", {"id": account_id}
    if not purses or purses[0]["free"] + entry.free < 0 or purses[0]["paid"] + entry.paid < 0:
        return False
    yield from move_credits(account_id, (entry,))
    yield "add_entry", [entry_row(account_id, entry, now, None, None)]
    return True


def move_credits(account_id: str, entries: tuple[Entry, ...]) -> Script[None]:
    """Carry entries to the account."""
    moved = {name: sum(getattr(entry, name) for entry in entries) for name in ("free", "paid", "held")}
    yield "move_credits", {"account_id": account_id, "draw": 0, **moved}


def entry_row(account_id: str, entry: Entry, now: int, task_id: str | None, public_id: str | None) -> dict[str, Any]:
    """A line as parameters of `add_entry`; each task has one of a kind. `public_id` is what its caller knows."""
    return {
        "account_id": account_id,
        "task_id": task_id,
        "public_id": public_id,
        "kind": entry.kind.value,
        "free": entry.free,
        "paid": entry.paid,
        "held": entry.held,
        "bank": entry.bank,
        "revenue": entry.revenue,
        "now": now,
    }


# ---- keys


def key_script(key: KeyInfo, digest: str, account: Account | None = None) -> Script[bool]:
    """A new key, with its account where that is new too."""
    if account is not None:
        yield from account_script(account)
    yield from add_key(key, digest)
    return True


def login_script(account: Account, key: KeyInfo, digest: str) -> Script[bool]:
    """An account unless it exists, and a key in place of those of the same name; true when the account is new."""
    opened = yield from account_script(account)
    yield "revoke_keys_named", {"account_id": account.id, "name": key.name, "now": key.created_at}
    yield from add_key(key, digest)
    return opened


def add_key(key: KeyInfo, digest: str) -> Script[None]:
    """A key and its secret's digest."""
    yield (
        "add_key",
        {
            "id": key.id,
            "account_id": key.account_id,
            "hint": key.hint,
            "name": key.name,
            "rules": dump(key.rules),
            "now": key.created_at,
        },
    )
    yield "add_secret", {"digest": digest, "key_id": key.id, "now": key.created_at}


def rotate_script(key_id: str, hint: str, digest: str, now: int, until: int) -> Script[list[Row]]:
    """A new secret for a key; the ones before it are good until `until`."""
    found = yield "rotate_key", {"id": key_id, "hint": hint}
    if found:
        yield "expire_secrets", {"key_id": key_id, "until": until}
        yield "add_secret", {"digest": digest, "key_id": key_id, "now": now}
    return found
