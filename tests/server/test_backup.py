"""A backup of a server that runs, as docs/operations.md describes it, put into another folder and started there."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from harness import Darkroom, fetched
from vendors import answered

GENERATE = {"operation": "image.generate"}
PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


def copied(server: Darkroom, folder: Path) -> None:
    """First the database, while it is written to, then the files."""
    assert re.search(r"first the database, then the files", PAGE)
    folder.mkdir(parents=True)
    with (
        closing(sqlite3.connect(server.data / "darkroom.db")) as source,
        closing(sqlite3.connect(folder / "darkroom.db")) as target,
    ):
        source.backup(target)
    shutil.copytree(server.data / "objects", folder / "objects")


def test_a_restored_server_has_the_old_results_and_goes_on_with_what_waited(tmp_path: Path) -> None:
    with Darkroom(tmp_path / "old", engines="fake", flags=("--workers", "2")) as old:
        client = old.client()
        done = answered(client.post("/api/tasks?wait=20", json={**GENERATE, "params": {"prompt": "a lake"}}))
        picture = fetched(done["outputs"][0]["url"]).content
        waits = [
            answered(client.post("/api/tasks", json={**GENERATE, "params": {"prompt": "fake:slow"}})) for _ in "1234"
        ]
        copied(old, tmp_path / "new" / "data")
        balance = answered(client.get("/api/account"))
        lost = answered(client.post("/api/tasks", json=GENERATE))  # after the backup
        key, address = old.key, old.address
        old.kill()
    with Darkroom(tmp_path / "new", engines="fake", flags=("--workers", "2")) as new:
        assert new.key == ""  # it has its keys
        client = new.client(key)
        account = answered(client.get("/api/account"))
        assert (account["available"], account["held"]) == (balance["available"], balance["held"])
        found = answered(client.get(f"/api/tasks/{done['id']}"))
        assert fetched(found["outputs"][0]["url"]).content == picture
        handed_out = done["outputs"][0]["url"].replace(address, new.address)
        assert fetched(handed_out).content == picture  # links of before still work
        assert client.get(f"/api/tasks/{lost['id']}").status_code == 404
        for task in waits:
            assert answered(client.get(f"/api/tasks/{task['id']}?wait=30"))["state"] == "succeeded"
        assert answered(client.get("/api/account"))["held"] == 0


def test_a_new_secret_ends_every_link_and_reading_again_gives_new_ones(tmp_path: Path) -> None:
    with Darkroom(tmp_path, engines="fake") as server:
        client = server.client()
        done = answered(client.post("/api/tasks?wait=20", json=GENERATE))
        old_link = done["outputs"][0]["url"]
        server.stop()
        with closing(sqlite3.connect(server.data / "darkroom.db")) as database, database:
            database.execute("DELETE FROM signing_key")
        old_address = server.address
        server.start()
        assert fetched(old_link.replace(old_address, server.address)).status_code == 403
        new_link = answered(server.client().get(f"/api/tasks/{done['id']}"))["outputs"][0]["url"]
        assert fetched(new_link).status_code == 200
