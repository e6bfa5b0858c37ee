"""What counts as a database that is away, how callers are told, and how its operator is: once for each reason."""

from __future__ import annotations

import time

import asyncpg

from ..core.errors import Code, TaskError
from .database import Tell, silently
from .hosts import words

QUIET = 3.0  # seconds without a failure after which an outage is over

UNAVAILABLE = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, starting up, or a statement that was canceled
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, in the middle of a failover
    asyncpg.PostgresSystemError,  # of its disks
    asyncpg.LockNotAvailableError,  # where it has a limit of its own for how long to wait
    asyncpg.IdleInTransactionSessionTimeoutError,
)


class Outage:
    """Notes when the database is away.

    `tell` gets each kind of reason once, and when it is back `None` with the seconds that it was away. Failures among
    successes, such as those of a server without room for further connections, are one outage.
    """

    def __init__(self, tell: Tell = silently) -> None:
        self._tell = tell
        self._kinds: set[type[BaseException]] = set()
        self._first = self._last = 0.0

    def failed(self, error: Exception) -> TaskError:
        """Note a failure; what its caller is told."""
        self._last = time.monotonic()
        if not self._kinds:
            self._first = self._last
        kind = type(error.__cause__ or error)
        if kind not in self._kinds:
            self._kinds.add(kind)
            self._tell(words(error), self._last - self._first)
        return unavailable(error, logged=True)

    def worked(self) -> None:
        """Note a success."""
        if self._kinds and time.monotonic() - self._last > QUIET:
            self._kinds.clear()
            self._tell(None, self._last - self._first)


def unavailable(error: Exception, *, logged: bool = False) -> TaskError:
    """What callers see when the database cannot answer."""
    return TaskError(
        Code.UNAVAILABLE,
        "The server's database is not available at the moment. Try again later.",
        detail=f"PostgreSQL: {words(error)}",
        retryable=True,
        retry_after=5,
        logged=logged,
    )
