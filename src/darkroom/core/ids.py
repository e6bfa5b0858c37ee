"""Internal ids: UUID version 7 as text, so that rows made together lie together in an index. And marks, and API keys.

Guarantees: of ids that one process makes for the same millisecond, the later one sorts behind the earlier one.
"""

from __future__ import annotations

import itertools
import random
import secrets

COUNTER = 32  # bits; it starts anywhere in the lower half, so that a process makes 2^31 ids before it begins anew
_random = random.Random()  # noqa: S311 - for what is to be unique, not secret; begun by the system, and by nobody again
_numbers = itertools.count(secrets.randbits(COUNTER - 1))  # one for all threads: the next one is taken at once


def new_id(now: int) -> str:
    """An id that sorts by `now`, UTC milliseconds, and then by when it was made (RFC 9562, section 6.2, method 1)."""
    tail = (next(_numbers) & (1 << COUNTER) - 1) << 42 | _random.getrandbits(42)
    value = (now & (1 << 48) - 1) << 80 | 0x7 << 76 | tail >> 62 << 64 | 0x2 << 62 | tail & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_mark() -> str:
    """32 hex digits that nothing else has, such as a request is known by. They can be guessed."""
    return f"{_random.getrandbits(128):032x}"


def new_key() -> str:
    """An API key with 256 random bits."""
    return "sk-" + secrets.token_urlsafe(32).replace("-", "x").replace("_", "y")
