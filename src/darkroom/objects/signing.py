"""Signed links to files: who holds the link may read that one path until it expires.

A link carries `exp` (UTC milliseconds) and `sig`, an HMAC-SHA256 over path and expiry. The expiry moves in steps, so
that the same path gets the same link, and a status answer the same bytes, for a whole period.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..core.commands import Signature
from ..core.errors import Code, TaskError

HOUR = 3_600_000  # milliseconds
DIGITS = 24  # of the hex digest: 96 bits, far beyond guessing, and short enough for a link
SHORTEST_SECRET = 16  # bytes


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret that signs links. The secret is never shown."""

    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < SHORTEST_SECRET:
            raise ValueError(f"signing key {self.id!r} needs a secret of {SHORTEST_SECRET} bytes or more")


class Signer:
    """Makes and checks signed links.

    `keys` come newest first: the first one signs, each of them verifies, so a key is rotated by putting a new one in
    front and dropping the old one when its links have expired. A link lives between `lifetime_ms` and `lifetime_ms` +
    `period_ms`.
    """

    def __init__(self, keys: Sequence[SigningKey], period_ms: int = HOUR, lifetime_ms: int = 24 * HOUR) -> None:
        if period_ms < 1 or lifetime_ms < 1:
            raise ValueError("the period and the lifetime of links are 1 ms or more")
        self._period = period_ms
        self._lifetime = lifetime_ms
        self.use(keys)

    def use(self, keys: Sequence[SigningKey]) -> None:
        """Sign and verify with these keys from now on."""
        if not keys:
            raise ValueError("links cannot be signed without a key")
        # Begun once: to sign is then to copy one, which is quicker, and does not let other threads in between.
        self._begun = tuple(hmac.new(key.secret, digestmod="sha256") for key in keys)

    @property
    def longest(self) -> int:
        """Milliseconds that a link may live."""
        return self._lifetime + self._period

    def sign(self, path: str, now: int) -> str:
        """The query string of a link to `path`: `exp=<UTC ms>&sig=<hex>`."""
        period = self._period
        expires = -(-(now + self._lifetime) // period) * period
        return f"exp={expires}&sig={_digest(self._begun[0], path, expires)}"

    def verify(self, signature: Signature, now: int) -> None:
        """Return if the link is ours and still valid; otherwise `invalid_link` or `expired_link`."""
        given = signature.digest.encode("utf-8", "surrogatepass")
        genuine = False
        for begun in self._begun:
            wanted = _digest(begun, signature.path, signature.expires).encode()
            genuine |= hmac.compare_digest(wanted, given)
        if not genuine:
            raise TaskError(
                Code.INVALID_LINK,
                "The link was altered or is not from this server. Query the task again for a new one.",
            )
        if now >= signature.expires:
            raise TaskError(Code.EXPIRED_LINK, "The link has expired. Query the task again for a new one.")


def _digest(begun: hmac.HMAC, path: str, expires: int) -> str:
    code = begun.copy()
    code.update(f"{path}\n{expires}".encode("utf-8", "surrogatepass"))
    return code.hexdigest()[:DIGITS]
