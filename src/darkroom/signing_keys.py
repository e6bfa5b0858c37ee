"""The keys that sign links: made, changed without breaking a link that lives, and forgotten when none is left.

Guarantees: a new key verifies for two minutes before it signs, so that every server of a group knows it by then; an
old one verifies until every link that it signed has expired.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .core.ids import new_id
from .log import write_failure
from .objects.signing import HOUR, Signer, SigningKey
from .store import Store

LOOK = 20.0  # seconds between looks at the keys
SETTLE = 120_000  # milliseconds until a new key signs
SLACK = 300_000  # milliseconds that the clocks of servers may differ, generously


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key as it is stored. `lifetime` is that of the longest link it may have signed; times in milliseconds."""

    id: str
    secret: str
    created_at: int
    lifetime: int


async def rotate(store: Store, now: int) -> None:
    """Add a key. It signs in two minutes."""
    await store.add_signing_key(new_id(now), secrets.token_hex(32), now)


async def load(store: Store, lifetime: int, now: int) -> list[SigningKey]:
    """The keys for a signer whose links live for `lifetime` milliseconds at most; the first key is made here."""
    keys = [KnownKey(*row) for row in await store.signing_keys()]
    if not keys:
        await rotate(store, now)
        keys = [KnownKey(*row) for row in await store.signing_keys()]
    for key in outlived(keys, now):
        await store.delete_signing_key(key.id)
        keys.remove(key)
    if any(key.lifetime < lifetime for key in keys):
        await store.note_link_lifetime(lifetime)
    settled = [key for key in keys if key.created_at + SETTLE <= now] or keys[-1:]
    ordered = [settled[0], *(key for key in keys if key is not settled[0])]
    return [SigningKey(key.id, bytes.fromhex(key.secret)) for key in ordered]


def outlived(keys: Sequence[KnownKey], now: int) -> list[KnownKey]:
    """Keys, given newest first, whose links have all expired: a key stops signing when the next one begins to."""
    return [key for newer, key in pairwise(keys) if newer.created_at + SETTLE + max(key.lifetime, HOUR) + SLACK < now]


async def keep_current(store: Store, signer: Signer, clock: Callable[[], int]) -> None:
    """Bring a signer up to date now and then, for ever."""
    while True:
        await asyncio.sleep(LOOK)
        try:
            signer.use(await load(store, signer.longest, clock()))
        except Exception as error:  # noqa: BLE001 - the next look may succeed, and until then the known keys do
            write_failure("signing", error)
