"""Files that are no pictures, or pictures that nobody could hold: refused unread, in little memory, and not kept."""

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

import httpx
import pytest
from harness import Darkroom, until
from samples import MIB, hostile
from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, VENDORS, Vendor, answered, ask, form, picture_form

FILES = hostile()
GROWTH = 50 * MIB
SECOND = 1.0  # of processor time, where `slowness` is 1
OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, picture: bytes) -> Iterator[Darkroom]:
    """A server that has seen good files and is warm, so that what it needs from now on is the hostile files' doing."""
    env = {"DARKROOM_MAX_UPLOAD_MIB": "50", "DARKROOM_FETCH_ALLOW": "127.0.0.0/8"}
    with Darkroom(tmp_path_factory.mktemp("guarded"), env=env) as running:
        client = running.client()
        for vendor in VENDORS:
            answered(ask(client, vendor.upload("a.png", picture)))
        until(lambda: all(task["state"] == "succeeded" for task in newest(client)))
        yield running
        assert "Traceback" not in running.log


@pytest.fixture(scope="module")
def hostile_site() -> Iterator[str]:
    """The address of a web server that delivers the hostile files by their names."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = FILES[unquote(self.path.removeprefix("/"))]
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()  # no length: it is found out on the way
            with contextlib.suppress(ConnectionError):
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


def newest(client: httpx.Client) -> list[dict[str, Any]]:
    """The caller's tasks, the newest first."""
    tasks: list[dict[str, Any]] = answered(client.get("/api/tasks"))["items"]
    return tasks


def ids(client: httpx.Client) -> list[str]:
    """The ids of these tasks."""
    return [task["id"] for task in newest(client)]


class Toll:
    """What the server needs while the block runs: bytes at the peak above those before, and processor time."""

    def __init__(self, server: Darkroom) -> None:
        self._server = server

    def __enter__(self) -> Self:
        # From now on the peak is that of this block: https://docs.kernel.org/filesystems/proc.html
        Path(f"/proc/{self._server.pid}/clear_refs").write_text("5")
        self._memory = self._server.memory()["VmRSS"]
        self._seconds = self._processor()
        return self

    def __exit__(self, *_: object) -> None:
        self.growth = self._server.memory()["VmHWM"] - self._memory
        self.seconds = self._processor() - self._seconds

    def _processor(self) -> float:
        times = Path(f"/proc/{self._server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def slowness() -> float:
    """How many times more processor time a piece of work takes here and now than on a quiet machine; at least 1."""
    begun = time.process_time()
    for _ in range(64):
        zlib.crc32(bytes(1 << 20))
    return max(1.0, (time.process_time() - begun) / 0.01)


@contextlib.contextmanager
def nothing_kept_and_little_used(server: Darkroom) -> Iterator[httpx.Client]:
    """A client whose requests may cost 50 MB and a second, and leave neither a file nor a task."""
    client = server.client()
    kept, tasks, slow = server.objects(), ids(client), slowness()
    with Toll(server) as toll:
        yield client
    assert toll.growth < GROWTH
    assert toll.seconds < SECOND * max(slow, slowness())
    assert server.objects() == kept
    assert ids(client) == tasks


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
@pytest.mark.parametrize("name", FILES)
def test_a_hostile_upload_is_refused(guarded: Darkroom, vendor: Vendor, name: str) -> None:
    with nothing_kept_and_little_used(guarded) as client:
        assert vendor.refused(ask(client, vendor.upload("a.png", FILES[name]))) in vendor.invalid


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_picture_upload_of_muyuhan_is_refused(guarded: Darkroom, name: str) -> None:
    with nothing_kept_and_little_used(guarded) as client:
        response = client.post("/picUpload", **picture_form("images", "a.png", FILES[name], taskType="8"))
        assert MUYUHAN.refused(response) == "200 800"


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_behind_a_url_is_refused(guarded: Darkroom, hostile_site: str, name: str) -> None:
    url = f"{hostile_site}/{quote(name)}"
    with nothing_kept_and_little_used(guarded) as client:
        native = client.post("/api/tasks", json={"operation": "image.edit", "inputs": [{"url": url}]})
        assert NATIVE.refused(native) in NATIVE.invalid
        tensorslab = client.post("/v1/images/seedreamv4", **form(prompt="brighter", imageUrl=url))
        assert TENSORSLAB.refused(tensorslab) in TENSORSLAB.invalid
        dimilinks = client.post("/v1/images/generations", json={"prompt": "brighter", "image_urls": [url]})
        assert DIMILINKS.refused(dimilinks) in DIMILINKS.invalid
        muyuhan = client.post("/submitTask", json={"taskType": 4, "images": url})
        assert MUYUHAN.refused(muyuhan) in MUYUHAN.invalid


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("60 MB")])
def test_a_hostile_file_in_base64_is_refused(guarded: Darkroom, name: str) -> None:
    text = base64.b64encode(FILES[name]).decode()
    with nothing_kept_and_little_used(guarded) as client:
        native = client.post("/api/tasks", json={"operation": "image.edit", "inputs": [{"data": text}]})
        assert NATIVE.refused(native) in NATIVE.invalid
        body = {"prompt": "brighter", "image": f"data:image/png;base64,{text or 'AA=='}"}
        assert DIMILINKS.refused(client.post("/v1/images/generations", json=body)) in DIMILINKS.invalid


def test_a_good_file_beside_a_hostile_one_is_not_kept_either(guarded: Darkroom, picture: bytes) -> None:
    bad = FILES["no picture"]
    with nothing_kept_and_little_used(guarded) as client:
        files = [("sourceImage", ("a.png", picture)), ("sourceImage", ("b.png", bad)), ("prompt", (None, "brighter"))]
        assert TENSORSLAB.refused(client.post("/v1/images/seedreamv4", files=files)) == "200 9999"
        inputs = [{"data": base64.b64encode(content).decode()} for content in (picture, bad)]
        response = client.post("/api/tasks", json={"operation": "image.edit", "inputs": inputs})
        assert NATIVE.refused(response) == "400 invalid_media"


def test_a_good_file_of_a_request_that_is_refused_later_is_not_kept(guarded: Darkroom, picture: bytes) -> None:
    with nothing_kept_and_little_used(guarded) as client:
        form_ = picture_form("sourceImage", "a.png", picture, prompt="brighter", batchsize="many")
        assert TENSORSLAB.refused(client.post("/v1/images/seedreamv4", **form_)) == "200 9999"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/api/tasks", JSON, 400),
        ("POST", "/api/tasks", OCTETS, 400),
        ("POST", "/api/tasks", URLENCODED, 400),
        ("POST", "/api/tasks/x/cancel", JSON, 413),
        ("GET", "/api/tasks/x", OCTETS, 413),
        ("POST", "/v1/images/infobytaskid", JSON, 404),
        ("POST", "/v1/images/seedreamv4", URLENCODED, 200),
        ("POST", "/v1/images/generations", JSON, 400),
        ("POST", "/v1/images/edits", URLENCODED, 400),
        ("POST", "/submitTask", URLENCODED, 200),
        ("POST", "/submitTask", JSON, 200),
    ],
)
def test_60_megabytes_that_are_no_upload_are_refused(
    guarded: Darkroom, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with nothing_kept_and_little_used(guarded) as client:
        assert client.request(method, path, content=bytes(60 * MIB), headers=headers).status_code == status
        assert client.get("/api/account").status_code == 200


def test_more_than_the_server_takes_is_refused_before_it_is_sent(guarded: Darkroom) -> None:
    announced = ("Content-Type: application/json", f"Content-Length: {10_000 * MIB}")
    with nothing_kept_and_little_used(guarded):
        status, _ = guarded.raw("POST", "/api/tasks", f"Authorization: Bearer {guarded.key}", *announced)
        assert status == 413


def test_a_form_of_too_many_or_too_long_parts_is_refused(guarded: Darkroom, picture: bytes) -> None:
    with nothing_kept_and_little_used(guarded) as client:
        for parts in (
            [("sourceImage", ("a.png", picture))] * 40,
            [("prompt", (None, "x" * 2 * MIB))],
            [(f"field{number}", (None, "x")) for number in range(1_000)],
        ):
            assert TENSORSLAB.refused(client.post("/v1/images/seedreamv4", files=parts)) == "200 9999"
            assert client.get("/api/account").status_code == 200


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "a\\b.png", "x" * 500, "💥.png", "", "."])
def test_the_name_of_an_uploaded_file_means_nothing(guarded: Darkroom, picture: bytes, name: str) -> None:
    client = guarded.client()
    before = set(guarded.objects())
    file_id = answered(client.post("/api/files", files={"file": (name or "a", picture)}))["id"]
    assert set(guarded.objects()) - before == {f"files/{file_id}"}


def test_the_type_that_a_caller_claims_means_nothing(guarded: Darkroom, picture: bytes) -> None:
    client = guarded.client()
    kept = answered(client.post("/api/files", files={"file": ("a.html", picture, "text/html")}))
    assert kept["media_type"] == "image/png"
    assert client.get(kept["url"]).headers["content-type"] == "image/png"
