"""Requests to a vendor's API: JSON or forms out, JSON in; every way to get no answer is a `TaskError`.

Guarantees: time and the size of an answer are bounded, no redirect is followed, no proxy or cookie travels along, and
neither an error nor a log shows the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from ...core.errors import TaskError
from .options import Options
from .troubles import Trouble, trouble

TIMEOUT = httpx.Timeout(60.0, connect=10.0)  # seconds
MOST_BYTES = 8 << 20  # of an answer
LONGEST_PAUSE = 60  # seconds that a vendor can ask for
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vendor said: its JSON, or `None` where it was none, and the beginning of it as text.

    `retry_after` is the pause that it asked for, in seconds.
    """

    status: int
    body: Any
    text: str
    retry_after: int | None = None

    def get(self, *path: str) -> Any:
        """A value inside the body; `None` where there is none."""
        found = self.body
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    @property
    def words(self) -> str:
        """The answer as an operator wants to read it."""
        return f"HTTP {self.status} {self.text}"


class Calls:
    """Talks to one vendor with the headers that carry the key."""

    def __init__(self, options: Options, headers: Mapping[str, str]) -> None:
        self._options = options
        self._client = httpx.AsyncClient(
            base_url=options.base_url,
            headers={"User-Agent": "darkroom", "Accept": "application/json", **headers},
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, method: str, path: str, *, once: str | None = None, **content: Any) -> Answer:
        """Send a request. `once` is the idempotency key of one that must not be carried out twice.

        Raises `Trouble.BUSY` where another try may help, `Trouble.UNSURE` where that might pay twice.
        """
        headers = {} if once is None else {"Idempotency-Key": once}
        try:
            async with self._client.stream(method, path, headers=headers, **content) as response:
                return self._answer(response, await self._read(response))
        except NOT_SENT as error:
            raise self.trouble(Trouble.BUSY, repr(error)) from None
        except httpx.HTTPError as error:
            safe = once is None or self._options.idempotent
            raise self.trouble(Trouble.BUSY if safe else Trouble.UNSURE, repr(error)) from None

    def trouble(self, kind: Trouble, words: str, retry_after: int | None = None) -> TaskError:
        """The error for a kind of trouble. A vendor may repeat the key in its words; they are told without it."""
        key = self._options.key
        return trouble(kind, words.replace(key, "(key)") if key else words, retry_after)

    async def _read(self, response: httpx.Response) -> bytes:
        found = bytearray()
        async for chunk in response.aiter_bytes():
            found += chunk
            if len(found) > MOST_BYTES:
                raise self.trouble(Trouble.RESULT, f"an answer of more than {MOST_BYTES} bytes")
        return bytes(found)

    def _answer(self, response: httpx.Response, content: bytes) -> Answer:
        text = content[:2000].decode("utf-8", "replace")
        try:
            body = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            body = None
        wait = response.headers.get("retry-after", "").strip()
        pause = min(int(wait), LONGEST_PAUSE) if wait.isascii() and wait[:6].isdigit() and len(wait) <= 6 else None
        return Answer(response.status_code, body, text, pause)
