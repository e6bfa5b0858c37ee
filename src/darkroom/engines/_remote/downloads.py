"""Results are fetched by the links that a vendor hands out.

Guarantees: size, time and the number of redirects are bounded; the key goes to the vendor's own address alone; and a
link, or a redirect, that leads elsewhere is followed to public addresses only, and to the networks that the operator
allows.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from ...core.errors import TaskError
from ...reach import AddressRefusedError, Guarded, HostUnknownError, Reach
from .options import Options
from .troubles import Trouble

SECONDS = 600.0  # for one result
TIMEOUT = {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": 60.0}
HEADERS = {"User-Agent": "darkroom", "Accept": "*/*", "Accept-Encoding": "identity"}
REDIRECTS, MOST_REDIRECTS = frozenset({301, 302, 303, 307, 308}), 3
LATER = frozenset({401, 403, 404, 408, 409, 410, 425, 429})  # a fresh link, or the same one later, may work
PORTS = {"http": 80, "https": 443}


class Downloads:
    """Fetches from one vendor; `headers` carry its key, and `blame` makes errors that do not show it."""

    def __init__(
        self, options: Options, headers: Mapping[str, str], blame: Callable[[Trouble, str], TaskError]
    ) -> None:
        self._origin = origin(options.base_url)
        self._base = f"{options.base_url}/"
        self._headers = headers
        self._most = options.max_result_mib << 20
        self._blame = blame
        tls = httpx.create_ssl_context(trust_env=False)
        self._vendor = httpcore.AsyncConnectionPool(tls)
        self._public = httpcore.AsyncConnectionPool(tls, network_backend=Guarded(Reach(options.allow)))

    async def close(self) -> None:
        """Close the connections."""
        await self._vendor.aclose()
        await self._public.aclose()

    async def save(self, link: str, path: Path, *, with_key: bool = False) -> None:
        """Write what a link leads to. A `TaskError` that is `retryable` asks for another try, with a fresh link."""
        if link[:5].lower() == "data:":
            await asyncio.to_thread(path.write_bytes, self._decoded(link))
            return
        url = urljoin(self._base, link)
        try:
            async with asyncio.timeout(SECONDS):
                await self._follow(url, path, with_key=with_key)
        except (TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise self._blame(Trouble.AGAIN, f"{shown(url)}: {error!r}") from None
        except (AddressRefusedError, HostUnknownError) as error:
            raise self._blame(Trouble.RESULT, f"{shown(url)}: {error}; see the option allow") from None

    async def _follow(self, url: str, path: Path, *, with_key: bool) -> None:
        for _ in range(MOST_REDIRECTS + 1):
            onward = await self._get(url, path, with_key=with_key)
            if onward is None:
                return
            url = urljoin(url, onward)
        raise self._blame(Trouble.RESULT, f"{shown(url)}: more than {MOST_REDIRECTS} redirects")

    async def _get(self, url: str, path: Path, *, with_key: bool) -> str | None:
        """One request; where to go on to if it is answered by a redirect."""
        at_vendor = self._is_vendor(url)
        headers = [*HEADERS.items(), *(self._headers.items() if with_key and at_vendor else ())]
        pool = self._vendor if at_vendor else self._public
        async with pool.stream("GET", url, headers=headers, extensions={"timeout": TIMEOUT}) as response:
            told = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
            if response.status in REDIRECTS and "location" in told:
                return told["location"]
            if response.status != 200:
                again = response.status in LATER or response.status >= 500
                words = f"{shown(url)}: HTTP {response.status}"
                raise self._blame(Trouble.AGAIN if again else Trouble.RESULT, words)
            if told.get("content-encoding", "identity").lower() != "identity":
                raise self._blame(Trouble.RESULT, f"{shown(url)}: compressed, though it was asked for as it is")
            if (size := told.get("content-length", "")).isdigit() and int(size) > self._most:
                raise self._blame(Trouble.TOO_LARGE, f"{shown(url)}: {size} bytes; see the option max_result_mib")
            await self._write(response.aiter_stream(), path, url)
        return None

    async def _write(self, chunks: AsyncIterator[bytes], path: Path, url: str) -> None:
        size = 0
        with await asyncio.to_thread(path.open, "wb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > self._most:
                    raise self._blame(Trouble.TOO_LARGE, f"{shown(url)}: more than {self._most} bytes")
                await asyncio.to_thread(file.write, chunk)

    def _is_vendor(self, url: str) -> bool:
        try:
            return origin(url) == self._origin
        except ValueError:
            raise self._blame(Trouble.RESULT, f"a link that is none: {url[:200]!r}") from None

    def _decoded(self, link: str) -> bytes:
        kind, _, text = link.partition(",")
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise self._blame(Trouble.RESULT, f"a result that is no base64: {kind[:200]!r}") from None
        if len(content) > self._most:
            raise self._blame(Trouble.TOO_LARGE, f"a result of {len(content)} bytes")
        return content


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an http address; `ValueError` for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.username is not None:
        raise ValueError(f"no http address: {url[:200]!r}")
    return parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]


def shown(url: str) -> str:
    """A link for the log: what follows the path is a signature."""
    return url.partition("#")[0].partition("?")[0][:300]
