"""Running servers that tests share; what a test needs for itself alone, it starts with `harness.Darkroom`."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from harness import FAKE_DEFAULTS, Darkroom
from samples import png

from postgres import Postgres

SMALL = {
    "DARKROOM_MAX_UPLOAD_MIB": "50",
    "DARKROOM_INITIAL_CREDITS": "1000000",
    "DARKROOM_RETRY_SECONDS": "0.05",
    "DARKROOM_DEFAULTS": FAKE_DEFAULTS.replace('"image.filter" = "fake"', '"image.filter" = "filters-v1"'),
}
FLAGS = ("--workers", "4")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server on SQLite, with default settings but for its limits."""
    with Darkroom(tmp_path_factory.mktemp("server"), env=SMALL, flags=FLAGS) as running:
        yield running
        assert "Traceback" not in running.log  # whatever callers send, no bug shows


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def each_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server on SQLite, then one on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("server")
        return
    folder = tmp_path_factory.mktemp("postgres-server")
    with (
        database(request.getfixturevalue("postgres")) as url,
        Darkroom(folder, database=url, env=SMALL, flags=FLAGS) as running,
    ):
        yield running
        assert "Traceback" not in running.log


@contextlib.contextmanager
def database(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, for as long as it is needed."""
    with asyncio.Runner() as runner:
        opened = postgres.database()
        url = runner.run(opened.__aenter__())
        try:
            yield url
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def stranger(server: Darkroom) -> str:
    """A key of somebody who owns nothing of what the others make."""
    return server.new_key(name="stranger")


@pytest.fixture
def client(server: Darkroom) -> httpx.Client:
    """A client with the server's first key."""
    return server.client()


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A PNG of 40 x 30 pixels."""
    return png(40, 30)


@pytest.fixture
def site(picture: bytes) -> Iterator[str]:
    """The address of a web server on loopback: pictures, but not at `/missing`; `/visits` lists what was asked."""
    visits: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(visits).encode() if self.path == "/visits" else picture
            if self.path != "/visits":
                visits.append(self.path)
            self.send_response(404 if self.path == "/missing" else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()
