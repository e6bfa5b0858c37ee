"""Sends one webhook by HTTP, and only to addresses that callers' URLs may lead to.

Guarantees: each new connection goes to an address that was resolved and checked for it; no redirect is followed; no
proxy, cookie or credential travels along; time and the part of the answer that is read are bounded. Connections are
kept for a while, each for one account and one host: never shared between names that have the same address.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from types import MappingProxyType

import httpcore
import httpx

from .core.errors import Code, TaskError
from .core.webhooks import Kind, Outcome
from .reach import AddressRefusedError, Guarded, HostUnknownError, Reach

KEEP = 4.0  # seconds that an idle connection is kept: less than the 5 s after which common servers close theirs
CONNECT_TIMEOUT = 5.0  # seconds for one address; a host may have several
ANSWER = 4096  # bytes that are read of an answer
LONGEST_URL = 2048  # characters
BUSY = frozenset({429, 502, 503, 504})  # answers for a receiver as a whole
PORTS = MappingProxyType({"http": 80, "https": 443})


class Sender:
    """Posts to receivers; `timeout` in seconds for everything together. Each lane has connections of its own.

    `authorities` is a file of certificates (PEM) that are trusted beside the public ones; `ValueError` if it is none.
    """

    def __init__(self, reach: Reach, timeout: float = 15.0, authorities: str = "") -> None:
        self.timeout = timeout
        self._backend = Guarded(reach)
        self._tls = httpx.create_ssl_context(trust_env=False)
        if authorities:
            trust(self._tls, authorities)
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def post(self, lane: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Outcome:
        """What came of one request."""
        target = httpx.URL(url)
        request = httpcore.Request(
            "POST",
            httpcore.URL(scheme=target.scheme, host=target.raw_host, port=target.port, target=target.raw_path),
            headers=[("Host", target.netloc.decode("ascii")), ("Content-Length", str(len(body))), *headers],
            content=body,
            extensions={"timeout": {"connect": CONNECT_TIMEOUT}},
        )
        try:
            async with asyncio.timeout(self.timeout):
                return await self._exchange(lane, request)
        except (TimeoutError, httpcore.TimeoutException):
            return failed(f"The receiver did not answer within {self.timeout:g} seconds.")
        except HostUnknownError:
            return failed("The host of the URL cannot be found.")
        except AddressRefusedError:
            return failed("The URL leads into a private or reserved network, which is not allowed.")
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            connecting = isinstance(error, httpcore.ConnectError)
            return failed(
                "The receiver cannot be reached, or its certificate is not valid."
                if connecting
                else "The receiver broke off the connection, or does not speak HTTP."
            )

    async def _exchange(self, lane: str, request: httpcore.Request) -> Outcome:
        try:
            response = await self._pool(lane).handle_async_request(request)
        except AttributeError as error:  # anyio's word under uvloop for a connection that ended as soon as it was made
            raise httpcore.ReadError from error
        try:
            read = 0
            async for chunk in response.aiter_stream():
                read += len(chunk)
                if read > ANSWER:
                    break  # the connection is closed with it
            return outcome_of(response)
        finally:
            await response.aclose()

    def _pool(self, lane: str) -> httpcore.AsyncConnectionPool:
        pool = self._pools.get(lane)
        if pool is None:
            pool = self._pools[lane] = httpcore.AsyncConnectionPool(
                self._tls, max_connections=None, keepalive_expiry=KEEP, network_backend=self._backend
            )
        return pool

    async def forget(self, lane: str) -> None:
        """Close the connections of a lane in which nothing is under way."""
        pool = self._pools.pop(lane, None)
        if pool is not None:
            await pool.aclose()

    async def close(self) -> None:
        """Close every connection."""
        for lane in tuple(self._pools):
            await self.forget(lane)


def trust(context: ssl.SSLContext, authorities: str) -> None:
    """Accept the certificates of further authorities."""
    try:
        context.load_verify_locations(authorities)
    except OSError as error:  # `ssl.SSLError` is one
        raise ValueError(f"{authorities} is no file of certificates (PEM): {error.strerror or error}") from None


def failed(error: str) -> Outcome:
    """A try without an answer."""
    return Outcome(Kind.FAILED, error=error, alive=False)


def outcome_of(response: httpcore.Response) -> Outcome:
    """What an answer means: 2xx is a success, everything else is none."""
    status = response.status
    if 200 <= status < 300:
        return Outcome(Kind.SENT, status)
    headers = {name.lower(): value for name, value in response.headers}
    wait = headers.get(b"retry-after", b"")
    error = f"The receiver answered with status {status}."
    if 300 <= status < 400:
        error = f"The receiver answered with status {status}: redirects are not followed. Give the final address."
    return Outcome(
        Kind.GONE if status == 410 else Kind.FAILED,
        status,
        error,
        alive=status not in BUSY,
        retry_after=int(wait[:6]) * 1000 if wait.isdigit() else 0,
    )


def receiver(url: str, param: str) -> tuple[str, str]:
    """A URL that callers gave as it is used, and its origin; or `invalid_input`."""
    try:
        parsed = httpx.URL(url)
        parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        raise refused("The webhook's URL is malformed. Write it as https://host/path.", param) from None
    default = PORTS.get(parsed.scheme)
    port = default if parsed.port is None else parsed.port
    if default is None or port is None or not parsed.host or not 0 < port <= 65535:
        raise refused("A webhook's URL begins with https:// or http:// and names a host.", param)
    if parsed.userinfo:
        raise refused("A webhook's URL holds no user name or password: the signature says who sends.", param)
    text = str(parsed.copy_with(fragment=None))
    if len(text) > LONGEST_URL:
        raise refused(f"A webhook's URL has at most {LONGEST_URL} characters.", param)
    host = parsed.raw_host.decode("ascii").lower()
    return text, f"{parsed.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def refused(message: str, param: str) -> TaskError:
    """A URL that nothing is sent to."""
    return TaskError(Code.INVALID_INPUT, message, param=param)
