"""The seam between the store and a database: reads by name, and scripts that run in one transaction.

A script is a generator: it yields queries and is sent their rows. So one script serves a blocking driver on a writer
thread and an asynchronous one alike, does no I/O of its own, and rolls back as a whole when it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from importlib import resources
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Row = Any  # sqlite3.Row or asyncpg.Record: read by column name or position
Params = Mapping[str, Any]
Query = tuple[str, Params | list[dict[str, Any]]]  # several: the query runs for each, and its rows are not sent
Script = Generator[Query, list[Row], T]
Tell = Callable[[str | None, float], None]
SECONDS = 60.0  # that a server has to answer a command, where nobody waits who would not


class Database(Protocol):
    """What the store needs of a database."""

    async def read(self, name: str, **params: Any) -> list[Row]:
        """Run one reading query."""

    def read_at_once(self, name: str, **params: Any) -> list[Row] | None:
        """Run one reading query without waiting; `None` where the database cannot."""

    async def write(self, script: Callable[[], Script[T]]) -> T:
        """Run a script in one transaction; durable when this returns, or nothing of it happened."""

    async def time(self) -> int:
        """What time it is there, in UTC milliseconds."""

    async def ping(self) -> None:
        """Return when the database answers and takes writes."""

    async def close(self) -> None:
        """Finish what was begun and let go."""


def silently(_reason: str | None, _seconds: float) -> None:
    """Tell nobody."""


async def connect(url: str, seconds: float = SECONDS, tell: Tell = silently) -> Database:
    """Open `sqlite:PATH` or `postgresql://…`, and bring its schema up to date.

    A server that does not answer a command within `seconds` is not available. `tell` gets why it is not, once for each
    kind of reason, and `None` with the seconds that it was away.
    """
    scheme, colon, _ = url.partition(":")
    if scheme == "sqlite" and colon:
        from .file_lock import path_of
        from .sqlite import SqliteDatabase

        return SqliteDatabase(path_of(url))
    if scheme in ("postgresql", "postgres"):
        from .postgres import PostgresDatabase

        return await PostgresDatabase.open(url, seconds, tell)
    raise ValueError("use sqlite:PATH or postgresql://HOST/NAME")


def storable(value: Any) -> Any:
    """A parameter as both databases take it: PostgreSQL has no NUL in texts, and neither writes half a surrogate pair.

    Such text comes from outside (an id in a URL, an engine's message); it must neither be found nor stop a transition.
    """
    if isinstance(value, str) and not (value.isascii() and "\x00" not in value):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return value


def storables(values: list[Any]) -> list[Any]:
    """Many parameters as both databases take them."""
    text = "".join([value for value in values if isinstance(value, str)])
    return values if storable(text) is text else [storable(value) for value in values]


def migrations(kind: str) -> list[tuple[int, str, str]]:
    """Numbered schema files of one kind of database, in order: (version, name, text)."""
    folder = resources.files(__package__).joinpath("sql", kind)
    files = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(int(name[:4]), name, folder.joinpath(name).read_text("utf-8")) for name in files]
