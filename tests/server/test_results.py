"""Results: kept as long as they shall be, saved under good names, fetched one by one or all at once."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from harness import Darkroom, fetched, until
from samples import png
from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, VENDORS, Vendor, answered, ask

EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
JOB = {"operation": "image.generate"}
SECOND = 1 / 3600  # hours


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server that keeps results for some seconds."""
    settings = {"DARKROOM_RESULT_HOURS": str(8 * SECOND), "DARKROOM_RETENTION": '{"fake-process" = 0}'}
    with Darkroom(tmp_path_factory.mktemp("forgetful"), env=settings) as running:
        yield running


def done(client: httpx.Client, **more: Any) -> dict[str, Any]:
    """A task that has succeeded."""
    task: dict[str, Any] = answered(client.post("/api/tasks?wait=20", json={**JOB, **more}))
    assert task["state"] == "succeeded"
    return task


def gone(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """A task, as soon as its results have expired."""
    return until(
        lambda: task if (task := answered(client.get(f"/api/tasks/{task_id}")))["expired"] else None, seconds=40
    )


def files_of(server: Darkroom, task_id: str) -> list[str]:
    """What object storage holds of a task."""
    with closing(sqlite3.connect(server.data / "darkroom.db")) as database:
        found = database.execute(
            "SELECT id FROM task WHERE public_id = ? OR parent_id = (SELECT id FROM task WHERE public_id = ?)",
            (task_id, task_id),
        ).fetchall()
    return [name for name in server.objects() for (each,) in found if name.startswith(f"tasks/{each}/")]


def test_results_expire_with_their_files_and_the_task_says_so(forgetful: Darkroom) -> None:
    client = forgetful.client()
    task = done(client, count=2)
    assert (task["expired"], task["expired_at"], len(task["outputs"])) == (False, None, 2)
    assert task["finished_at"] < task["expires_at"]
    assert len(files_of(forgetful, task["id"])) == 4  # with thumbnails
    link = task["outputs"][0]["url"]
    assert fetched(link).status_code == 200
    after = gone(client, task["id"])
    assert (after["state"], after["outputs"], after["zip_url"], after["error"]) == ("succeeded", [], None, None)
    assert after["expired_at"] >= task["expires_at"]
    assert (fetched(link).status_code, fetched(link).json()["error"]["code"]) == (410, "results_expired")
    assert fetched(task["zip_url"]).status_code == 410
    until(lambda: not files_of(forgetful, task["id"]))


def test_a_model_may_keep_its_results_longer(forgetful: Darkroom) -> None:
    assert done(forgetful.client(), model="fake-process")["expires_at"] is None


def test_no_vendor_shows_a_success_with_dead_links(forgetful: Darkroom) -> None:
    client = forgetful.client()
    made = [(vendor, vendor.made(client, "a lake")) for vendor in (TENSORSLAB, DIMILINKS, MUYUHAN)]
    for _, task_id in made:
        assert answered(client.get(f"/api/tasks/{task_id}?wait=20"))["state"] == "succeeded"
    for vendor, task_id in made:
        gone(client, task_id)
        body = vendor.read(client, task_id)
        assert vendor.state(body) == "failed"
        assert vendor.links(body) == []
        assert "expired" in str(body)


def test_the_parts_of_a_task_expire_together(forgetful: Darkroom) -> None:
    client = forgetful.client()
    assert MUYUHAN.parts
    task_id = MUYUHAN.task_id(answered(ask(client, MUYUHAN.parts(png(40, 30), png(30, 40)))))
    assert len(answered(client.get(f"/api/tasks/{task_id}?wait=20"))["outputs"]) == 2
    task = gone(client, task_id)
    assert task["outputs"] == []
    assert [(child["expired"], child["outputs"]) for child in task["children"]] == [(True, [])] * 2
    until(lambda: not files_of(forgetful, task_id))


def test_usually_results_are_kept(client: httpx.Client) -> None:
    task = done(client)
    assert (task["expires_at"], task["expired_at"], task["expired"]) == (None, None, False)


def test_a_deleted_task_leaves_no_file(server: Darkroom, client: httpx.Client) -> None:
    task = done(client, count=2)
    before = files_of(server, task["id"])
    assert len(before) == 4
    assert client.delete(f"/api/tasks/{task['id']}").status_code == 204
    assert not set(before) & set(server.objects())
    assert fetched(task["outputs"][0]["url"]).status_code == 404


def test_files_that_a_crash_left_are_removed_after_the_next_start(forgetful: Darkroom) -> None:
    client = forgetful.client()
    task = done(client)
    left = files_of(forgetful, task["id"])
    forgetful.kill()
    with closing(sqlite3.connect(forgetful.data / "darkroom.db")) as database, database:  # as far as a delete came
        (internal,) = database.execute("SELECT id FROM task WHERE public_id = ?", (task["id"],)).fetchone()
        database.execute("DELETE FROM task WHERE id = ?", (internal,))
        database.execute("INSERT INTO removal (task_id) VALUES (?)", (internal,))
    assert set(left) <= set(forgetful.objects())
    forgetful.start()
    until(lambda: not set(left) & set(forgetful.objects()), seconds=40)


# ---- names


@EACH_VENDOR
def test_a_result_has_a_good_name_and_is_saved_on_demand(client: httpx.Client, vendor: Vendor) -> None:
    task_id = vendor.made(client, "a lake") if vendor is not MUYUHAN else done(client)["id"]
    answered(client.get(f"/api/tasks/{task_id}?wait=20"))
    (link,) = vendor.links(vendor.read(client, task_id))
    assert fetched(link).headers["content-disposition"] == f'inline; filename="{task_id}-1.png"'
    saved = fetched(f"{link}&download=1")
    assert saved.headers["content-disposition"] == f'attachment; filename="{task_id}-1.png"'
    assert saved.status_code == 200


def test_links_lead_to_the_cache_where_there_is_one(tmp_path: Any) -> None:
    with Darkroom(tmp_path, env={"DARKROOM_CDN_URL": "https://cdn.example.com/"}) as server:
        client = server.client()
        task = done(client)
        for vendor in (NATIVE, DIMILINKS, TENSORSLAB, MUYUHAN):
            for link in vendor.links(vendor.read(client, task["id"])):
                assert link.startswith("https://cdn.example.com/")
                seen = fetched(server.address + link.removeprefix("https://cdn.example.com"))  # as the cache asks
                assert seen.status_code == 200
                assert seen.headers["cache-control"].startswith("public")
        hanging = answered(client.post("/api/tasks", json={**JOB, "params": {"outcome": "hang"}}))
        assert hanging["events_url"].startswith(server.address)


# ---- all at once


def unpacked(response: httpx.Response) -> dict[str, bytes]:
    """The files of an archive, each with a sound checksum."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_all_results_of_a_task_come_in_one_file(client: httpx.Client) -> None:
    task = done(client, count=3)
    response = fetched(task["zip_url"])
    assert response.headers["content-disposition"] == f'attachment; filename="{task["id"]}.zip"'
    files = unpacked(response)
    assert list(files) == [f"{task['id']}-{number}.png" for number in (1, 2, 3)]
    assert [*files.values()] == [fetched(output["url"]).content for output in task["outputs"]]
    assert unpacked(client.get(f"/api/tasks/{task['id']}/zip")) == files
    assert fetched(task["zip_url"]).content == response.content


def test_results_of_several_tasks_come_in_one_file_under_names_of_their_own(client: httpx.Client) -> None:
    tasks = [done(client, count=2), done(client)]
    query = [("id", task["id"]) for task in (*tasks, tasks[0])]
    files = unpacked(client.get("/api/zip", params=query))
    assert list(files) == [f"{tasks[0]['id']}-1.png", f"{tasks[0]['id']}-2.png", f"{tasks[1]['id']}-1.png"]


def test_only_the_owner_gets_an_archive(server: Darkroom, client: httpx.Client, stranger: str) -> None:
    task = done(client)
    path = f"/api/tasks/{task['id']}/zip"
    assert server.client(stranger).get(path).status_code == 404
    assert server.client(stranger).get("/api/zip", params={"id": task["id"]}).status_code == 404
    assert server.client(None).get(path).status_code == 401
    assert fetched(task["zip_url"].replace("sig=", "sig=0")).status_code == 403
    assert fetched(task["zip_url"].replace("/tasks/", "/tasks/0")).status_code == 403


def test_an_archive_that_cannot_be_is_refused(client: httpx.Client) -> None:
    hanging = answered(client.post("/api/tasks", json={**JOB, "params": {"outcome": "hang"}}))["id"]
    assert client.get(f"/api/tasks/{hanging}/zip").status_code == 409
    assert client.delete(f"/api/tasks/{hanging}").status_code == 204
    assert client.get(f"/api/tasks/{done(client, params={'results': 0})['id']}/zip").status_code == 404
    assert client.get("/api/zip").status_code == 400
    assert client.get("/api/zip", params=[("id", str(number)) for number in range(501)]).status_code == 400
