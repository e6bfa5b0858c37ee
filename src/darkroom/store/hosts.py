"""Connects to PostgreSQL where it is: one host, or that of several which takes writes.

Guarantees: a host that does not answer costs its share of the time and keeps nobody from the next one; the host that
worked last is asked first.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

APPLICATION = "darkroom"  # how connections of ours are known in pg_stat_activity
LEAVE = 2.0  # seconds for taking leave of a server
CHOICE = "target_session_attrs"


class Line(asyncpg.Connection):  # type: ignore[misc]
    """A connection that can be left at any time, also one to a server that does not answer."""

    async def close(self, *, timeout: float | None = LEAVE) -> None:
        """End what runs and take leave, or hang up."""
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # it is cut then
            await super().close(timeout=min(timeout or LEAVE, LEAVE))


class Hosts:
    """The hosts of a URL, of which one is the primary; `seconds` are for trying all of them."""

    def __init__(self, url: str, seconds: float) -> None:
        self._urls = each_host(url)
        self._seconds = seconds / (len(self._urls) + 1)
        several = len(self._urls) > 1 and CHOICE not in urlsplit(url).query
        self._options: dict[str, Any] = {CHOICE: "read-write"} if several else {}
        self._options["server_settings"] = {"application_name": APPLICATION}

    async def connect(self, _: str | None = None, **options: Any) -> asyncpg.Connection:
        """A connection; `ConnectionError` with each host's reason when there is none."""
        failures: dict[str, Exception] = {}
        for url in tuple(self._urls):
            try:
                connection = await asyncpg.connect(url, timeout=self._seconds, **self._options, **options)
            except (asyncpg.PostgresError, asyncpg.InternalClientError, OSError) as error:
                failures[urlsplit(url).netloc.rpartition("@")[2]] = error
            else:
                self._urls.sort(key=url.__ne__)
                return connection
        reasons = [f"{host}: {words(error)}" for host, error in failures.items()]
        raise ConnectionError("; ".join(reasons)) from failures.popitem()[1]


def each_host(url: str) -> list[str]:
    """A URL for each host of one."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return [url]
    return [urlunsplit(parts._replace(netloc=f"{user}{at}{host}")) for host in hosts.split(",")]


def words(error: BaseException) -> str:
    """What an error says; one of a time limit says nothing by itself."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "it takes no writes"
    if isinstance(error, asyncpg.InternalClientError):
        return f"the connection is of no use any more: {error}"
    return str(error) or "no answer in time"
