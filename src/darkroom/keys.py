"""API keys: made once, shown once, stored as a digest, and looked up for every request."""

from __future__ import annotations

import hashlib
import time

from .core.commands import Account, Session
from .core.errors import Code, TaskError
from .core.ids import new_id, new_key
from .store import KeyInfo, Store

LOGIN = "login"  # the name of keys that devices get
FRESH = 1.0  # seconds that a look-up is trusted: a revoked key is refused after this time at the latest
REMEMBERED = 10_000  # keys


def digest_of(key: str) -> str:
    """What is stored of a key: it has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


async def create_key(store: Store, name: str, amount: int, now: int) -> str:
    """A new key with an account of its own that holds `amount` credits. The key is returned here and nowhere else."""
    account = await store.add_account(name, amount, now)
    key = new_key()
    await store.add_key(described(key, account.id, name, now), digest_of(key))
    return key


async def login(store: Store, device: str, key: str, amount: int, now: int) -> Session:
    """Give a device its new key. Its account, opened with `amount` credits, goes by a digest of the device's name."""
    account = Account(f"device-{digest_of(device)[:32]}", LOGIN, amount, 0, now)
    opened = await store.login(account, described(key, account.id, LOGIN, now), digest_of(key))
    return Session(key, await store.account(account.id) or account, opened)


def described(key: str, account_id: str, name: str, now: int) -> KeyInfo:
    """What may be known of a key."""
    return KeyInfo(new_id(now), account_id, f"{key[:7]}…{key[-4:]}", name, now, None)


class Keyring:
    """Finds the account of a key; remembers it for a second."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[str, float]] = {}

    async def account(self, key: str | None) -> str:
        """The account that a key speaks for, or `missing_key`, `invalid_key`."""
        if not key:
            raise TaskError(Code.MISSING_KEY, "An API key is required: send it in the Authorization header.")
        known = self.known(key)
        if known is not None:
            return known
        digest = digest_of(key)
        account_id = await self._store.account_of_key(digest)
        if account_id is None:
            self._known.pop(digest, None)
            raise TaskError(Code.INVALID_KEY, "The API key is unknown or was revoked.")
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[digest] = (account_id, time.monotonic() + FRESH)
        return account_id

    def known(self, key: str) -> str | None:
        """The account of a key that was looked up within the last second."""
        known = self._known.get(digest_of(key))
        return known[0] if known is not None and known[1] > time.monotonic() else None
