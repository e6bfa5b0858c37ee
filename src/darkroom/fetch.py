"""Downloads of callers' URLs, so that a URL can never reach what only this server can reach.

The host is looked up once, every address is checked, and the connection goes to a checked address, so that a name
server which changes its mind gains nothing; each redirect starts over. Size, time and the number of redirects are
bounded, and nothing of this server travels along: no proxy, cookie, referrer or credential.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import BinaryIO

import httpx

from . import metrics
from .core.errors import Code, TaskError
from .names import Names
from .reach import AddressRefusedError, HostUnknownError, Reach

REDIRECTS = {301, 302, 303, 307, 308}
LATER = {408, 425, 429, 500, 502, 503, 504}  # statuses after which another try may succeed
HEADERS = {"User-Agent": "darkroom", "Accept": "image/*, video/*, */*;q=0.1", "Accept-Encoding": "identity"}
WEB_PORTS = {80, 443}
FREE_PORTS = 1024  # below it, and but for the two, other services listen, and what is sent to them might mean something
CHUNK = 64 * 1024  # bytes
CONNECT_TIMEOUT = 10.0  # seconds for one address; a host may have several


class Fetcher:
    """Downloads within limits: `max_bytes` of a body, `timeout` in seconds for everything together.

    `allow` names networks (CIDR) that may be reached although they are not public; `names` looks hosts up.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        max_bytes: int = 50_000_000,
        timeout: float = 30.0,
        max_redirects: int = 3,
        names: Names | None = None,
    ) -> None:
        self._reach = Reach(allow, names)
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._max_redirects = max_redirects
        self._tls = httpx.create_ssl_context(trust_env=False)

    async def fetch(self, url: str, to: BinaryIO) -> None:
        """Write what the URL answers into `to`, or raise a `TaskError` that says what is wrong with it.

        After an error `to` holds a part of the body, or nothing.
        """
        try:
            await self._fetch(url, to)
        except TaskError as error:
            metrics.FETCHES.labels(error.code.value).inc()
            raise
        metrics.FETCHES.labels("ok").inc()

    async def _fetch(self, url: str, to: BinaryIO) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._follow(url, to)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise TaskError(
                Code.TIMED_OUT,
                f"The URL did not deliver its file within {self._timeout:g} seconds. Try again, or upload the file.",
                detail=f"{shown(url)}: {error!r}",
                retryable=True,
            ) from error
        except httpx.HTTPError as error:
            raise _unreachable(url, error) from error

    async def _follow(self, url: str, to: BinaryIO) -> None:
        place = _parsed(url)
        for _ in range(self._max_redirects + 1):
            onward = await self._get(place, to)
            if onward is None:
                return
            place = _parsed(onward, place)
        raise TaskError(
            Code.INVALID_INPUT,
            f"The URL redirects more than {self._max_redirects} times. Give the address where the file is.",
        )

    async def _get(self, url: httpx.URL, to: BinaryIO) -> str | None:
        """One request; the address to go on to if it is a redirect."""
        error: httpx.TransportError | None = None
        for address in await self._resolve(url):
            try:
                return await self._get_from(address, url, to)
            except (httpx.ConnectError, httpx.ConnectTimeout) as problem:
                error = problem
        raise _unreachable(str(url), error) from error

    async def _get_from(self, address: str, url: httpx.URL, to: BinaryIO) -> str | None:
        # A client of its own for every request: no cookie is kept, and no connection is shared between two names
        # that have the same address.
        timeout = httpx.Timeout(self._timeout, connect=CONNECT_TIMEOUT)
        client = httpx.AsyncClient(verify=self._tls, trust_env=False, follow_redirects=False, timeout=timeout)
        request = httpx.Request(
            "GET",
            url.copy_with(host=address, fragment=None),
            headers={**HEADERS, "Host": url.netloc.decode("ascii")},
            extensions={"timeout": timeout.as_dict(), "sni_hostname": url.raw_host.decode("ascii")},
        )
        async with client:
            response = await client.send(request, stream=True)
            try:
                if response.status_code in REDIRECTS and "location" in response.headers:
                    return response.headers["location"]
                _refuse_status(response)
                await self._save(response, to)
            finally:
                await response.aclose()
        return None

    async def _save(self, response: httpx.Response, to: BinaryIO) -> None:
        if response.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
            # It was asked for without; unpacking could make gigabytes out of kilobytes.
            raise TaskError(
                Code.INVALID_MEDIA, "The URL delivers a compressed body. Give the address of the file as it is."
            )
        too_large = TaskError(
            Code.TOO_LARGE, f"The file behind the URL has more than {self._max_bytes} bytes. Give a smaller one."
        )
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise too_large
        received = 0
        async for chunk in response.aiter_raw(CHUNK):
            received += len(chunk)
            if received > self._max_bytes:
                raise too_large
            try:
                await asyncio.to_thread(to.write, chunk)
            except OSError as error:
                raise TaskError(
                    Code.STORAGE_FAILED,
                    "The file could not be stored. Try again later.",
                    detail=repr(error),
                    retryable=True,
                ) from error

    async def _resolve(self, url: httpx.URL) -> list[str]:
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            return await self._reach.addresses(host, port)
        except HostUnknownError as error:
            raise TaskError(
                Code.INVALID_INPUT,
                "The host of the URL cannot be found. Check its spelling, or upload the file.",
                detail=str(error),
            ) from error
        except AddressRefusedError as error:
            raise TaskError(
                Code.INVALID_INPUT,
                "The URL leads into a private or reserved network, which is not allowed. Upload the file instead.",
                detail=str(error),
            ) from error


def _parsed(text: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        url = base.join(text) if base else httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise TaskError(
            Code.INVALID_INPUT, "The URL is malformed. Write it as https://host/path.", detail=repr(error)
        ) from error
    if url.scheme not in {"http", "https"}:
        raise TaskError(Code.INVALID_INPUT, "Only http and https URLs can be fetched. Upload the file instead.")
    if url.userinfo:
        raise TaskError(
            Code.INVALID_INPUT, "URLs with a user name or password are not fetched. Give one that needs neither."
        )
    if not url.raw_host or not 0 <= (url.port or 0) <= 65535:
        raise TaskError(Code.INVALID_INPUT, "The URL has no valid host and port. Write it as https://host/path.")
    if url.port is not None and url.port < FREE_PORTS and url.port not in WEB_PORTS:
        message = f"Port {url.port} is that of another service. Give a URL on port 80, 443, or from {FREE_PORTS}."
        raise TaskError(Code.INVALID_INPUT, message)
    return url


def _refuse_status(response: httpx.Response) -> None:
    if response.status_code != 200:
        raise TaskError(
            Code.INVALID_INPUT,
            f"The URL answers with status {response.status_code} instead of a file. "
            "Check that it opens without signing in.",
            retryable=response.status_code in LATER,
        )


def _unreachable(url: str, error: Exception | None) -> TaskError:
    return TaskError(
        Code.INVALID_INPUT,
        "The host of the URL cannot be reached or does not speak HTTP properly. Check the URL, or upload the file.",
        detail=f"{shown(url)}: {error!r}",
        retryable=True,
    )


def shown(url: str) -> str:
    """A URL for the log: what follows the path may be a secret of the caller."""
    return url.partition("#")[0].partition("?")[0]
