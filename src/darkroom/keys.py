"""API keys: made once, shown once, stored as a digest, and looked up for every request."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace

from .clock import Clock, utc_now
from .core.access import Caller, KeyInfo, Rules, check_expiry
from .core.commands import Account, Session
from .core.errors import Code, TaskError
from .core.ids import new_id, new_key
from .store import Store

LOGIN = "login"  # the name of keys that devices get
FRESH = 1.0  # seconds that a look-up is trusted: a revoked key is refused after this time at the latest
REMEMBERED = 10_000  # keys


def digest_of(key: str) -> str:
    """What is stored of a key: it has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


async def create_key(store: Store, name: str, amount: int, now: int, rules: Rules | None = None) -> str:
    """A new key with an account of its own that holds `amount` free credits. It is returned here and nowhere else."""
    key = new_key()
    account = Account(new_id(now), name, amount, 0, now, amount)
    await store.add_key(described(key, account.id, name, now, rules), digest_of(key), account)
    return key


async def login(store: Store, device: str, key: str, amount: int, now: int) -> Session:
    """Give a device its new key. Its account, opened with `amount` credits, goes by a digest of the device's name."""
    account = Account(f"device-{digest_of(device)[:32]}", LOGIN, amount, 0, now, amount)
    opened = await store.login(account, described(key, account.id, LOGIN, now), digest_of(key))
    return Session(key, await store.account(account.id) or account, opened)


def described(key: str, account_id: str, name: str, now: int, rules: Rules | None = None) -> KeyInfo:
    """What may be known of a key."""
    return KeyInfo(new_id(now), account_id, hint_of(key), name, now, None, rules or Rules())


def hint_of(key: str) -> str:
    """The part of a key that may be shown."""
    return f"{key[:7]}…{key[-4:]}"


class Keyring:
    """Finds out who has a key; remembers it for a second."""

    def __init__(self, store: Store, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[str, float, Caller]] = {}

    async def caller(self, key: str | None) -> Caller:
        """Who speaks with a key, or `missing_key`, `invalid_key`."""
        if not key:
            raise TaskError(Code.MISSING_KEY, "An API key is required: send it in the Authorization header.")
        digest = digest_of(key)
        known = self._known.get(digest)
        if known is not None and known[1] > time.monotonic():
            return known[2]
        return await self._look_up(digest)

    async def caller_now(self, key: str) -> Caller:
        """The same, by what the database says now."""
        return await self._look_up(digest_of(key))

    def known(self, key: str) -> str | None:
        """The account of a key that was looked up within the last second, and that has not expired meanwhile."""
        known = self._known.get(digest_of(key))
        return known[0] if known is not None and known[1] > time.monotonic() else None

    async def _look_up(self, digest: str) -> Caller:
        found = await self._store.caller(digest)
        if found is None:
            self._known.pop(digest, None)
            raise TaskError(Code.INVALID_KEY, "The API key is unknown or was revoked.")
        return self._remembered(digest, *found)

    def _remembered(self, digest: str, caller: Caller, ends: int | None) -> Caller:
        """Trust a look-up for a second, but no longer than the key or, after a rotation, its old secret is good."""
        if ends is not None:
            expires = caller.rules.expires_at
            rules = replace(caller.rules, expires_at=ends if expires is None else min(ends, expires))
            caller = replace(caller, rules=rules)
        now = self._clock()
        check_expiry(caller, now)
        left = FRESH
        if caller.rules.expires_at is not None:
            left = min(left, (caller.rules.expires_at - now) / 1000)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[digest] = (caller.account_id, time.monotonic() + left, caller)
        return caller
