"""Workers elsewhere and results in S3: files go to the storage itself, or by the server where it is out of reach."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from workers import ENV, SERVES_NOTHING, RemoteWorker, final, token_of

import darkroom
from bad_line import Line
from darkroom.objects import Objects
from darkroom.testing.objects import keys
from darkroom.testing.server import Darkroom, fetched
from seaweed import Seaweed

Site = tuple[Darkroom, Objects]
ASTRONAUT = Path(darkroom.__file__).parent / "samples" / "astronaut.png"


@pytest.fixture(scope="module")
def public(seaweed: Seaweed) -> Iterator[Line]:
    """The way of everybody but the server to the storage."""
    with Line(seaweed.port) as line:
        yield line


@pytest.fixture(scope="module")
def site(seaweed: Seaweed, public: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that runs nothing itself, and its place in S3."""
    place = seaweed.place()
    env = {
        **ENV,
        **seaweed.environment,
        "DARKROOM_OBJECTS": place,
        "DARKROOM_OBJECTS_PUBLIC_ENDPOINT": public.address,
        "DARKROOM_LEASE_SECONDS": "30",
    }
    with Darkroom(tmp_path_factory.mktemp("server"), engines="fake,opencv", env=env, flags=SERVES_NOTHING) as server:
        yield server, Objects.open(place, seaweed.cloud())
        assert "Traceback" not in server.log


def filtered(server: Darkroom) -> str:
    """The id of a new task with an input."""
    client = server.client()
    with ASTRONAUT.open("rb") as picture:
        file = client.post("/api/files", files={"file": picture}).raise_for_status().json()["id"]
    body = {"operation": "image.filter", "model": "filters-v1", "inputs": [{"file": file}], "params": {"style": "noir"}}
    return str(client.post("/api/tasks", json=body).raise_for_status().json()["id"])


def test_files_go_to_the_storage_itself(site: Site, public: Line, tmp_path: Path) -> None:
    server, objects = site
    before = public.connections
    with RemoteWorker(tmp_path / "worker", server.address, token_of(server), engines="opencv") as worker:
        done = final(server, filtered(server))
        assert worker.end() == 0
        assert "storage.failed" not in worker.log
    assert done["state"] == "succeeded"
    assert public.connections > before
    assert len(asyncio.run(keys(objects, "tasks/"))) == 2
    server.client().delete(f"/api/tasks/{done['id']}").raise_for_status()


def test_files_pass_through_the_server_where_the_storage_cannot_be_reached(
    site: Site, public: Line, tmp_path: Path
) -> None:
    server, _ = site
    public.refusing = True
    with RemoteWorker(tmp_path / "worker", server.address, token_of(server), engines="opencv") as worker:
        done = final(server, filtered(server))
        assert "go through the server" in worker.log
        assert worker.end() == 0
    public.refusing = False
    assert (done["state"], done["attempt"]) == ("succeeded", 1)
    assert server.client().get(done["outputs"][0]["url"], follow_redirects=True).content.startswith(b"\x89PNG")
    assert fetched(done["outputs"][0]["thumbnail_url"]).status_code == 302
