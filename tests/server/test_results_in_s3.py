"""A server whose files lie in S3: links lead on to the storage, everything else goes on as it does with a folder."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import io
import json
import os
import sqlite3
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from harness import PATIENCE, Darkroom, fetched, until
from PIL import Image
from samples import shape
from vendors import NATIVE, VENDORS, Vendor, answered, until_final

from bad_line import Line
from darkroom.objects import Objects
from darkroom.objects.signing import Signer, SigningKey
from darkroom.testing.objects import keys
from processes import refused
from seaweed import SECRET, Seaweed

EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
SECOND = 1 / 3600  # hours


class Site:
    """A server on a place of its own in S3; browsers are sent to another address than the server uses."""

    def __init__(self, seaweed: Seaweed, folder: Path, public: str = "", **settings: str) -> None:
        self.place = seaweed.place()
        self.objects = Objects.open(self.place, seaweed.cloud())
        env = {
            **seaweed.environment,
            "DARKROOM_OBJECTS": self.place,
            "DARKROOM_OBJECTS_PUBLIC_ENDPOINT": public,
            **{f"DARKROOM_{name.upper()}": value for name, value in settings.items()},
        }
        self.server = Darkroom(folder, env=env, flags=("--workers", "2"))

    def stored(self, prefix: str = "") -> list[str]:
        return asyncio.run(keys(self.objects, prefix))


@pytest.fixture(scope="module")
def public(seaweed: Seaweed) -> Iterator[Line]:
    with Line(seaweed.port) as line:
        yield line


@pytest.fixture(scope="module")
def site(seaweed: Seaweed, public: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    forgetting = f'{{"fake-process" = {3 * SECOND}}}'
    site = Site(
        seaweed, tmp_path_factory.mktemp("site"), public.address, retention=forgetting, webhook_allow="127.0.0.1/32"
    )
    with site.server:
        yield site
        assert "Traceback" not in site.server.log
        assert SECRET not in site.server.log


@pytest.fixture
def client(site: Site) -> httpx.Client:
    return site.server.client()


def done(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    body = {"operation": "image.generate", "params": {"size": "96x72"}, **fields}
    task: dict[str, Any] = answered(client.post("/api/tasks?wait=20", json=body))
    assert task["state"] == "succeeded", task
    return task


def noisy() -> bytes:
    """A PNG of some two megabytes."""
    file = io.BytesIO()
    Image.frombytes("RGB", (1000, 700), os.urandom(1000 * 700 * 3)).save(file, "PNG")
    return file.getvalue()


def ask(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    """The answer to somebody who has nothing but the URL, and goes nowhere else."""
    return httpx.request(method, url, headers=headers, trust_env=False, timeout=PATIENCE)


def sent_on(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    """What the storage answers to whom a link leads there."""
    first = ask(url, method, **headers)
    assert (first.status_code, first.content) == (302, b""), first.text
    return ask(first.headers["location"], method, **headers)


def links_of(vendor: Vendor, client: httpx.Client, task_id: str) -> list[str]:
    body = vendor.read(client, task_id)
    more = {"native": lambda: [body["outputs"][0]["thumbnail_url"]], "muyuhan": lambda: [body["data"]["thumbFileUrl"]]}
    return [*vendor.links(body), *more.get(vendor.name, list)()]


@EACH_VENDOR
def test_every_link_leads_on_to_the_storage(client: httpx.Client, public: Line, vendor: Vendor) -> None:
    task_id = vendor.made(client, "a lake")
    until_final(vendor, client, task_id)
    links = links_of(vendor, client, task_id)
    assert links
    for link in links:
        first = ask(link)
        assert first.headers["location"].startswith(f"{public.address}/")
        seconds = int(first.headers["cache-control"].removeprefix("private, max-age="))
        assert 0 < seconds <= 1800
        answer = sent_on(link)
        kind = answer.headers["content-type"].removeprefix("image/")
        assert (answer.status_code, shape(answer.content)[0].lower()) == (200, kind)
        head = sent_on(link, "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "content-length", "content-disposition"):
            assert head.headers[name] == answer.headers[name]
        assert answer.headers["content-disposition"].startswith('inline; filename="')
        assert httpx.get(link, follow_redirects=True, trust_env=False, timeout=PATIENCE).content == answer.content


def test_a_file_is_saved_under_its_name_and_read_in_parts(client: httpx.Client) -> None:
    task = done(client)
    link = task["outputs"][0]["url"]
    whole = sent_on(link)
    assert len(whole.content) == task["outputs"][0]["size"]
    assert whole.headers["content-disposition"] == f'inline; filename="{task["id"]}-1.png"'
    saved = sent_on(f"{link}&download=1")
    assert saved.headers["content-disposition"] == f'attachment; filename="{task["id"]}-1.png"'
    part = sent_on(link, Range="bytes=5-9")
    assert (part.status_code, part.content) == (206, whole.content[5:10])


def test_polls_stay_the_same_and_show_nothing_of_the_storage(client: httpx.Client, site: Site) -> None:
    task = done(client)
    first = client.get(f"/api/tasks/{task['id']}")
    for _ in range(3):
        sent_on(task["outputs"][0]["url"])
    second = client.get(f"/api/tasks/{task['id']}")
    assert (second.content, second.headers["etag"]) == (first.content, first.headers["etag"])
    assert client.get(f"/api/tasks/{task['id']}", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert b"X-Amz" not in first.content
    assert first.json()["outputs"][0]["url"].startswith(site.server.address)


def test_who_has_a_file_already_is_told_so_on_either_way(client: httpx.Client) -> None:
    link = done(client)["outputs"][0]["url"]
    etag = sent_on(link).headers["etag"]
    again = ask(ask(link, **{"If-None-Match": etag}).headers["location"], **{"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


def test_nobody_gets_further_than_the_link_allows(client: httpx.Client, site: Site) -> None:
    link = done(client)["outputs"][0]["url"]
    with contextlib.closing(sqlite3.connect(site.server.data / "darkroom.db")) as database:
        key_id, secret = database.execute("SELECT id, secret FROM signing_key").fetchone()
    signer = Signer([SigningKey(key_id, bytes.fromhex(secret))], period_ms=1, lifetime_ms=90_000)
    path, signed = urlsplit(link).path, urlsplit(link).path.removeprefix("/api")
    now = time.time_ns() // 1_000_000
    short = signer.sign(signed, now)
    answer = client.get(f"{path}?{short}")
    query = {name: value[0] for name, value in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    begins = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    ends = int(parse_qs(short)["exp"][0]) / 1000
    assert begins + 60 <= begins + int(query["X-Amz-Expires"]) <= ends
    assert int(answer.headers["cache-control"].removeprefix("private, max-age=")) <= 45
    assert client.get(f"{path}?{signer.sign(signed, now - 90_001)}").status_code == 403
    assert client.get(f"{path}?{short[:-1]}").status_code == 403


def test_an_upload_leads_on_too_and_is_an_input_like_any_other(client: httpx.Client, picture: bytes) -> None:
    kept = answered(client.post("/api/files", files={"file": ("a.png", picture)}))
    answer = sent_on(kept["url"])
    assert (answer.content, answer.headers["content-type"]) == (picture, "image/png")
    task = done(client, operation="image.filter", model="filters-v1", params={}, inputs=[{"file": kept["id"]}])
    assert shape(sent_on(task["outputs"][0]["url"]).content)[1] == (40, 30)


def test_all_results_of_a_task_still_come_in_one_file(client: httpx.Client) -> None:
    task = done(client, count=2)
    response = fetched(task["zip_url"])
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [
            sent_on(output["url"]).content for output in task["outputs"]
        ]


def test_a_webhook_tells_of_links_that_lead_on(client: httpx.Client) -> None:
    told: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        try:
            task = done(client, webhook=f"http://127.0.0.1:{receiver.server_port}/", webhook_events=["task.succeeded"])
            until(lambda: told)
        finally:
            receiver.shutdown()
            thread.join()
    link = told[0]["data"]["outputs"][0]["url"]
    assert sent_on(link).content == sent_on(task["outputs"][0]["url"]).content


def test_who_comes_with_a_key_gets_the_file_here_and_shows_the_key_to_nobody_else(
    client: httpx.Client, public: Line
) -> None:
    job = {"prompt": "a lake", "seconds": "1", "size": "64x48"}
    made = answered(client.post("/v1/videos", json=job))
    until(lambda: client.get(f"/v1/videos/{made['id']}").json()["status"] == "completed")
    before = public.connections
    answer = client.get(f"/v1/videos/{made['id']}/content")
    assert (answer.status_code, answer.headers["accept-ranges"]) == (200, "bytes")
    assert public.connections == before


def test_a_deleted_task_is_gone_from_the_storage_and_its_link_leads_nowhere(client: httpx.Client, site: Site) -> None:
    before = site.stored("tasks")
    task = done(client)
    link = task["outputs"][0]["url"]
    beyond = ask(link).headers["location"]
    assert len(site.stored("tasks")) == len(before) + 2
    assert client.delete(f"/api/tasks/{task['id']}").status_code == 204
    assert NATIVE.refused(ask(link)) == "404 not_found"
    until(lambda: site.stored("tasks") == before)
    assert ask(beyond).status_code == 404


def test_results_that_were_kept_long_enough_are_gone_from_the_storage(client: httpx.Client, site: Site) -> None:
    before = site.stored("tasks")
    task = done(client, model="fake-process", count=2)
    until(lambda: client.get(f"/api/tasks/{task['id']}").json()["expired"])
    assert NATIVE.refused(ask(task["outputs"][0]["url"])) == "410 results_expired"
    until(lambda: site.stored("tasks") == before)


def test_everything_agrees_in_the_end(site: Site) -> None:
    assert "everything agrees" in site.server.command("doctor", "--objects", site.place)


def test_files_pass_through_the_server_where_the_storage_is_to_be_seen_by_nobody(
    seaweed: Seaweed, tmp_path: Path
) -> None:
    line = Line(seaweed.port)
    with line, Site(seaweed, tmp_path, objects_redirect="false", objects_endpoint=line.address).server as server:
        task = done(server.client())
        for link in (task["outputs"][0]["url"], task["outputs"][0]["thumbnail_url"]):
            answer, head = ask(link), ask(link, "HEAD")
            assert (answer.status_code, head.status_code) == (200, 200)
            assert int(head.headers["content-length"]) == len(answer.content)
            part = ask(link, Range="bytes=-7")
            assert (part.status_code, part.content) == (206, answer.content[-7:])
        noise = noisy()
        uploaded = answered(server.client().post("/api/files", files={"file": ("a.png", noise)}))
        line.cut_down = 100_000
        with pytest.raises(httpx.RemoteProtocolError):  # and not a file that only looks whole
            ask(uploaded["url"])
        assert "Traceback" not in server.log
        assert '"event":"storage.failed"' in server.log.replace(" ", "")
        line.restore()
        assert ask(uploaded["url"]).content == noise


def test_a_server_that_is_killed_in_the_middle_of_an_upload_leaves_nothing_half_written(
    seaweed: Seaweed, tmp_path: Path
) -> None:
    with Line(seaweed.port) as line:
        site = Site(seaweed, tmp_path, seaweed.endpoint, objects_endpoint=line.address)
        with site.server as server:
            line.stall_up = 2_000
            body = {"operation": "image.generate", "params": {"size": "640x480"}}
            task = answered(server.client().post("/api/tasks", json=body))
            until(lambda: line.failures > 0)
            server.kill()
            assert site.stored("tasks") == []
            line.restore()
            server.start()
            ended = until_final(NATIVE, server.client(), task["id"])
            assert sent_on(ended["outputs"][0]["url"]).status_code == 200
            assert len(site.stored("tasks")) == 2
            assert all("/2/" in name for name in site.stored("tasks"))


def test_a_start_that_cannot_write_its_files_says_what_to_do(seaweed: Seaweed, tmp_path: Path) -> None:
    env = {**seaweed.environment, "DARKROOM_OBJECTS": seaweed.place(), "AWS_SECRET_ACCESS_KEY": "wrong"}
    for command in (("serve", "--port", 0, "--engines", "fake"), ("doctor",)):
        said = refused(*command, "--data", tmp_path, env=env)
        assert "objects: s3://" in said
        assert "the storage refuses (SignatureDoesNotMatch): check the keys" in said
        assert len(said.splitlines()) == 1
