"""Internal ids: UUID version 7 as text, so that rows made together lie together in an index. And API keys."""

from __future__ import annotations

import os
import secrets


def new_id(now: int) -> str:
    """A random id that sorts by `now`, UTC milliseconds (RFC 9562, section 5.7)."""
    value = (now & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_key() -> str:
    """An API key with 256 random bits."""
    return "sk-" + secrets.token_urlsafe(32).replace("-", "x").replace("_", "y")
