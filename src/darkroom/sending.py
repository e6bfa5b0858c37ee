"""Sends one webhook by HTTP, and only to addresses that callers' URLs may lead to.

Guarantees: each new connection goes to an address that was resolved and checked for it; no redirect is followed; no
proxy, cookie or credential travels along; time and the part of the answer that is read are bounded. Connections are
kept for a while, each for one account and one host: never shared between names that have the same address.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterable
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

import httpx

from .connection import Answer, BrokenError, Connection, SilentError
from .core.errors import Code, TaskError
from .core.webhooks import Kind, Outcome
from .reach import AddressRefusedError, HostUnknownError, Reach

KEEP = 4.0  # seconds that an idle connection is kept: less than the 5 s after which common servers close theirs
CONNECT_TIMEOUT = 5.0  # seconds for one address, with its TLS; a host may have several
LONGEST_URL = 2048  # characters
BUSY = frozenset({429, 502, 503, 504})  # answers for a receiver as a whole
PORTS = MappingProxyType({"http": 80, "https": 443})


class Sender:
    """Posts to receivers; `timeout` in seconds for everything together. Each lane has connections of its own.

    `authorities` is a file of certificates (PEM) that are trusted beside the public ones; `ValueError` if it is none.
    """

    def __init__(self, reach: Reach, timeout: float = 15.0, authorities: str = "") -> None:
        self.timeout = timeout
        self._reach = reach
        self._tls = httpx.create_ssl_context(trust_env=False)
        self._tls.set_alpn_protocols(["http/1.1"])
        if authorities:
            trust(self._tls, authorities)
        self._idle: dict[str, list[tuple[float, Connection]]] = {}  # since when, the latest last

    async def post(self, lane: str, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> Outcome:
        """What came of one request to a URL that is written as `receiver` does."""
        place = urlsplit(url)
        target = (place.path or "/") + (f"?{place.query}" if place.query else "")
        lines = [f"POST {target} HTTP/1.1", f"Host: {place.netloc}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        request = "\r\n".join((*lines, "", "")).encode("ascii") + body
        try:
            async with asyncio.timeout(self.timeout):
                return outcome_of(await self._exchange(lane, place, request))
        except TimeoutError:
            return failed(f"The receiver did not answer within {self.timeout:g} seconds.")
        except HostUnknownError:
            return failed("The host of the URL cannot be found.")
        except AddressRefusedError:
            return failed("The URL leads into a private or reserved network, which is not allowed.")
        except OSError:  # `ssl.SSLError` is one
            return failed("The receiver cannot be reached, or its certificate is not valid.")
        except BrokenError:
            return failed("The receiver broke off the connection, or does not speak HTTP.")

    async def _exchange(self, lane: str, place: SplitResult, request: bytes) -> Answer:
        connection = self._idle_connection(lane)
        if connection is not None:
            try:
                return await self._ask(lane, connection, request)
            except SilentError:  # the receiver had closed it already, most likely
                pass
        return await self._ask(lane, await self._connect(place), request)

    async def _ask(self, lane: str, connection: Connection, request: bytes) -> Answer:
        answer = await connection.ask(request)
        if connection.usable:
            self._idle.setdefault(lane, []).append((time.monotonic(), connection))
        return answer

    def _idle_connection(self, lane: str) -> Connection | None:
        """A connection that can be used again, if there is one."""
        idle = self._idle.get(lane, [])
        while idle:
            since, connection = idle.pop()
            if connection.usable and time.monotonic() - since < KEEP:
                return connection
            connection.close()
        return None

    async def _connect(self, place: SplitResult) -> Connection:
        """A connection to the first address of the host that answers."""
        host, port, tls = place.hostname or "", place.port or PORTS[place.scheme], place.scheme == "https"
        problem: OSError | None = None
        for address in await self._reach.addresses(host, port):
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    _, connection = await asyncio.get_running_loop().create_connection(
                        Connection, address, port, ssl=self._tls if tls else None, server_hostname=host if tls else None
                    )
                    return connection
            except OSError as error:  # `TimeoutError` is one
                problem = error
        raise ConnectionError("no address of the host takes connections") from problem

    def forget(self, lane: str) -> None:
        """Close the connections of a lane in which nothing is under way."""
        for _, connection in self._idle.pop(lane, ()):
            connection.close()

    async def close(self) -> None:
        """Close every connection."""
        for lane in tuple(self._idle):
            self.forget(lane)
        await asyncio.sleep(0)  # the event loop ends them


def trust(context: ssl.SSLContext, authorities: str) -> None:
    """Accept the certificates of further authorities."""
    try:
        context.load_verify_locations(authorities)
    except OSError as error:  # `ssl.SSLError` is one
        raise ValueError(f"{authorities} is no file of certificates (PEM): {error.strerror or error}") from None


def failed(error: str) -> Outcome:
    """A try without an answer."""
    return Outcome(Kind.FAILED, error=error, alive=False)


def outcome_of(answer: Answer) -> Outcome:
    """What an answer means: 2xx is a success, everything else is none."""
    status, wait = answer.status, answer.retry_after
    if 200 <= status < 300:
        return Outcome(Kind.SENT, status)
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
