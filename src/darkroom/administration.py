"""What administrators do about keys and credits. Each action is written to the audit log together with its effect."""

from __future__ import annotations

from typing import Any

from .core import ledger
from .core.access import MOST, KeyInfo, check_rules
from .core.admin_commands import (
    AdminCommand,
    AdminResult,
    AuditPage,
    CreateKey,
    GrantCredits,
    Keys,
    ListAudit,
    ListKeys,
    NewSecret,
    RevokeKey,
    RotateKey,
    SetShare,
    Share,
)
from .core.commands import Account, EntryPage, ListEntries
from .core.errors import Code, TaskError
from .core.fairness import HEAVIEST, LIGHTEST
from .core.ids import new_id, new_key
from .core.ledger import Purse
from .keys import described, digest_of, hint_of
from .store import LAST, Store
from .store.credits import Audit

COMMAND_LINE = "command line"
CREATED, ROTATED, REVOKED = "key.created", "key.rotated", "key.revoked"
SHARED = "share.set"
GRANTED, ADJUSTED = "credits.granted", "credits.adjusted"


async def administer(store: Store, actor: str, command: AdminCommand, now: int) -> AdminResult | Account:
    """Carry out what an administrator wants."""
    match command:
        case CreateKey():
            return await create_key(store, actor, command, now)
        case RotateKey():
            return await rotate_key(store, actor, command, now)
        case RevokeKey():
            audit = Audit(actor, REVOKED, command.key_id, now, {})
            return or_no_key(await store.revoke_key(command.key_id, now, audit))
        case ListKeys():
            return Keys(tuple(await store.keys()))
        case GrantCredits():
            return await grant(store, actor, command, now)
        case SetShare():
            return await set_share(store, actor, command, now)
        case ListAudit():
            lines = await store.audit(command.limit + 1, cursor(command.cursor))
            page = tuple(lines[: command.limit])
            return AuditPage(page, str(page[-1].number) if len(lines) > command.limit else None)


async def create_key(store: Store, actor: str, command: CreateKey, now: int) -> NewSecret:
    """Make a key, of an account that there is or of a new one."""
    check_rules(command.rules)
    new = Account(new_id(now), command.name, command.credits, 0, now, command.credits)
    if command.account_id is not None and await store.account(command.account_id) is None:
        raise no_account(command.account_id)
    secret = new_key()
    key = described(secret, command.account_id or new.id, command.name, now, command.rules)
    detail: dict[str, Any] = {"name": key.name, "account": key.account_id, "rules": command.rules}
    await store.add_key(
        key, digest_of(secret), None if command.account_id else new, Audit(actor, CREATED, key.id, now, detail)
    )
    return NewSecret(key, secret)


async def rotate_key(store: Store, actor: str, command: RotateKey, now: int) -> NewSecret:
    """Give a key another secret, beside the old one for a while."""
    if command.grace < 0:
        raise TaskError(Code.INVALID_INPUT, "'grace' must be 0 or more.", param="grace")
    secret, until = new_key(), now + command.grace
    audit = Audit(actor, ROTATED, command.key_id, now, {"old_until": until})
    key = await store.rotate_key(command.key_id, hint_of(secret), digest_of(secret), now, until, audit)
    return NewSecret(or_no_key(key), secret)


async def grant(store: Store, actor: str, command: GrantCredits, now: int) -> Account:
    """Give credits, or take them back."""
    if not command.amount:
        raise TaskError(Code.INVALID_INPUT, "'amount' must not be 0.", param="amount")
    given = command.amount > 0
    make = ledger.grant if given else ledger.adjust
    detail = {"amount": command.amount, "purse": Purse(command.purse)}
    audit = Audit(actor, GRANTED if given else ADJUSTED, command.account_id, now, detail)
    entered = await store.enter(command.account_id, make(command.amount, command.purse), now, audit)
    account = await store.account(command.account_id)
    if account is None:
        raise no_account(command.account_id)
    if not entered:
        raise TaskError(Code.CONFLICT, f"The account has fewer {command.purse} credits than are to be taken back.")
    return account


async def set_share(store: Store, actor: str, command: SetShare, now: int) -> Share:
    """Give an account another weight and limit."""
    if not LIGHTEST <= command.weight <= HEAVIEST:
        raise TaskError(
            Code.INVALID_INPUT, f"'weight' must be from {LIGHTEST:g} to {HEAVIEST:g}; 1 is usual.", param="weight"
        )
    if command.running is not None and not 0 <= command.running <= MOST:
        raise TaskError(Code.INVALID_INPUT, f"'running' must be from 0 to {MOST}, or none.", param="running")
    audit = Audit(actor, SHARED, command.account_id, now, {"weight": command.weight, "running": command.running})
    if not await store.set_share(command.account_id, command.weight, command.running, audit):
        raise no_account(command.account_id)
    return Share(command.account_id, command.weight, command.running)


async def entries(store: Store, account_id: str, command: ListEntries) -> EntryPage:
    """A page of an account's ledger."""
    lines = await store.ledger(account_id, command.limit + 1, cursor(command.cursor), command.task_id)
    page = tuple(lines[: command.limit])
    return EntryPage(page, str(page[-1].number) if len(lines) > command.limit else None)


def or_no_key(key: KeyInfo | None) -> KeyInfo:
    """The key that was changed, or `not_found`."""
    if key is None:
        raise TaskError(Code.NOT_FOUND, "There is no active key of this id.")
    return key


def no_account(account_id: str) -> TaskError:
    """The answer for an account that does not exist."""
    return TaskError(Code.NOT_FOUND, f"There is no account {account_id[:80]}.", param="account")


def cursor(text: str | None) -> int:
    """Where a page starts: below the number of the last line of the page before."""
    if text is None:
        return LAST
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise TaskError(Code.INVALID_INPUT, "'cursor' must be a next_cursor of this list.", param="cursor")
    return int(text)
