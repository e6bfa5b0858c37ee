"""Links to files: what a browser may rely on, and what nobody may do with them."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from harness import Darkroom, unsigned
from samples import shape
from vendors import DIMILINKS, NATIVE, VENDORS, Vendor, answered, ask, until_final

from darkroom.objects.signing import Signer, SigningKey

EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
BARE = {"dimilinks"}  # answers for links that have no body


def finished(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    """A native task that has ended well."""
    task: dict[str, Any] = answered(
        client.post("/api/tasks?wait=20", json={"operation": "image.generate", "params": {"size": "96x72"}, **fields})
    )
    assert task["state"] == "succeeded", task
    return task


@pytest.fixture(scope="module")
def task(server: Darkroom) -> dict[str, Any]:
    """A task with two results."""
    return finished(server.client(), count=2)


@pytest.fixture(scope="module")
def ids(server: Darkroom) -> dict[str, str]:
    """A finished task of each dialect."""
    client = server.client()
    made = {vendor.name: vendor.made(client, "a lake") for vendor in VENDORS}
    for vendor in VENDORS:
        until_final(vendor, client, made[vendor.name])
    return made


def links_of(vendor: Vendor, client: httpx.Client, ids: dict[str, str]) -> list[str]:
    """The links of a dialect's task: to its result and, where there are any, to its thumbnail."""
    body = vendor.read(client, ids[vendor.name])
    more = {"native": lambda: [body["outputs"][0]["thumbnail_url"]], "muyuhan": lambda: [body["data"]["thumbFileUrl"]]}
    return vendor.links(body) + more.get(vendor.name, list)()


def target(url: str) -> tuple[str, str]:
    """Path and query of a link."""
    parts = urlsplit(url)
    return parts.path, parts.query


def test_a_result_is_sent_whole_as_what_it_is(server: Darkroom, task: dict[str, Any]) -> None:
    anybody = server.client(None)
    for output in task["outputs"]:
        response = anybody.get(output["url"])
        assert response.status_code == 200
        assert response.headers["content-type"] == output["media_type"] == "image/png"
        assert int(response.headers["content-length"]) == len(response.content) == output["size"]
        assert shape(response.content) == ("PNG", (output["width"], output["height"])) == ("PNG", (96, 72))
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in response.headers["content-security-policy"]
        assert re.fullmatch(r'"[^"]+"', response.headers["etag"])
        assert response.headers["accept-ranges"] == "bytes"


def test_a_head_tells_everything_but_the_file(server: Darkroom, task: dict[str, Any]) -> None:
    anybody, url = server.client(None), task["outputs"][0]["url"]
    head, get = anybody.head(url), anybody.get(url)
    assert head.status_code == 200
    assert head.content == b""
    its_own = {"date": "", "x-request-id": ""}
    assert {**head.headers, **its_own} == {**get.headers, **its_own}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, None),
        ("bytes=-7", -7, None),
        ("bytes=5-5", 5, 6),
        ("bytes=3-99999", 3, None),
    ],
)
def test_a_range_of_a_file(server: Darkroom, task: dict[str, Any], asked: str, start: int, end: int | None) -> None:
    anybody, url = server.client(None), task["outputs"][0]["url"]
    whole = anybody.get(url).content
    part = anybody.get(url, headers={"Range": asked})
    assert part.status_code == 206
    assert part.content == whole[start:end]
    first = whole.index(part.content) if start else 0
    assert part.headers["content-range"] == f"bytes {first}-{first + len(part.content) - 1}/{len(whole)}"


def test_a_range_beyond_the_end_is_refused_with_the_length(server: Darkroom, task: dict[str, Any]) -> None:
    output = task["outputs"][0]
    response = server.client(None).get(output["url"], headers={"Range": f"bytes={output['size']}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{output['size']}"


def test_a_range_of_another_version_gets_the_whole_file(server: Darkroom, task: dict[str, Any]) -> None:
    headers = {"Range": "bytes=0-9", "If-Range": '"another"'}
    response = server.client(None).get(task["outputs"][0]["url"], headers=headers)
    assert (response.status_code, len(response.content)) == (200, task["outputs"][0]["size"])


def test_who_has_a_file_already_does_not_get_it_again(server: Darkroom, task: dict[str, Any]) -> None:
    anybody, url = server.client(None), task["outputs"][0]["url"]
    etag = anybody.get(url).headers["etag"]
    again = anybody.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert anybody.get(task["outputs"][1]["url"]).headers["etag"] != etag


def test_thumbnails_are_small_webp_pictures_and_results_have_a_blurhash(server: Darkroom) -> None:
    output = finished(server.client(), params={"size": "1200x800"})["outputs"][0]
    response = server.client(None).get(output["thumbnail_url"])
    assert response.headers["content-type"] == "image/webp"
    kind, (width, height) = shape(response.content)
    assert kind == "WEBP"
    assert max(width, height) < 1200
    assert abs(width / height - 1.5) < 0.02
    assert len(response.content) == int(response.headers["content-length"])
    assert re.fullmatch(r"[0-9A-Za-z#$%*+,\-.:;=?@\[\]^_{|}~]{6,}", output["blurhash"])


@EACH_VENDOR
def test_links_need_no_key_and_work_from_every_dialect(
    server: Darkroom, client: httpx.Client, ids: dict[str, str], vendor: Vendor
) -> None:
    for link in links_of(vendor, client, ids):
        response = server.client(None).get(link)
        assert response.status_code == 200
        assert shape(response.content)[0] in ("PNG", "WEBP")


@EACH_VENDOR
def test_a_poll_answers_the_same_bytes_again(client: httpx.Client, ids: dict[str, str], vendor: Vendor) -> None:
    first, *others = [ask(client, vendor.query(ids[vendor.name])).content for _ in range(4)]
    assert others == [first] * 3


@EACH_VENDOR
def test_links_are_for_the_host_that_the_caller_named(
    client: httpx.Client, ids: dict[str, str], vendor: Vendor
) -> None:
    method, path, options = vendor.query(ids[vendor.name])
    for _ in range(2):  # the second time from memory
        for host in ("pictures.example:8080", "127.0.0.1:1", "other.example"):
            body = answered(client.request(method, path, headers={"Host": host}, **options))
            assert {urlsplit(link).netloc for link in vendor.links(body)} == {host}


@EACH_VENDOR
def test_a_changed_link_opens_nothing(
    server: Darkroom, client: httpx.Client, ids: dict[str, str], vendor: Vendor
) -> None:
    anybody = server.client(None)
    for link in links_of(vendor, client, ids):
        path, query = target(link)
        expires, signature = parse_qs(query)["exp"][0], parse_qs(query)["sig"][0]
        flipped = signature[:-1] + ("0" if signature[-1] != "0" else "1")
        for changed, status in {
            f"exp={expires}&sig={flipped}": 403,
            f"exp={expires}&sig={signature[:-1]}": 403,
            f"exp={expires}&sig={signature}0": 403,
            f"exp={expires}&sig={signature.upper() if signature.upper() != signature else 'a'}": 403,
            f"exp={int(expires) + 3_600_000}&sig={signature}": 403,
            f"exp=1&sig={signature}": 403,
            f"exp={expires}&sig=%F0%9F%92%A5": 403,
            f"exp={expires}": 400,
            f"sig={signature}": 400,
            f"exp=soon&sig={signature}": 400,
            f"exp=-1&sig={signature}": 400,
            f"exp={'9' * 400}&sig={signature}": 400,
            f"exp={expires}&sig=": 400,
            "": 400,
        }.items():
            response = anybody.get(f"{path}?{changed}" if changed else path)
            assert response.status_code == status, changed
            assert_no_file(vendor, response)


def assert_no_file(vendor: Vendor, response: httpx.Response) -> None:
    """What answers is a refusal in the dialect's shape."""
    if vendor.name in BARE:
        assert response.content == b""
    else:
        vendor.refused(response)


@EACH_VENDOR
def test_the_signature_of_one_file_opens_no_other(
    server: Darkroom, client: httpx.Client, ids: dict[str, str], vendor: Vendor, task: dict[str, Any]
) -> None:
    anybody = server.client(None)
    everything = [link for other in VENDORS for link in links_of(other, client, ids)]
    everything += [output["url"] for output in task["outputs"]]
    for link in links_of(vendor, client, ids):
        path, query = target(link)
        for other in everything:
            if target(other)[0] == path:
                continue
            response = anybody.get(f"{target(other)[0]}?{query}")
            assert response.status_code == 403
            assert response.headers.get("content-type") in ("application/json", "text/plain; charset=utf-8")


@EACH_VENDOR
def test_paths_that_lead_elsewhere_open_nothing(
    server: Darkroom, client: httpx.Client, ids: dict[str, str], vendor: Vendor
) -> None:
    path, query = target(links_of(vendor, client, ids)[0])
    folder, _, name = path.rpartition("/")
    for trick in (
        f"{folder}/../{name}",
        f"{folder}/%2e%2e/{name}",
        f"{folder}/..%2f{name}",
        f"{folder}/..%5c{name}",
        f"{folder}/%2e%2e%2f%2e%2e%2fdarkroom.db",
        f"{folder}/../../../../../../etc/passwd",
        f"{folder}//etc/passwd",
        f"{folder}/%2fetc%2fpasswd",
        f"{folder}/{name}%00",
        f"{folder}/{name}%00.png",
        f"{folder}/{name}/",
        f"{folder}/./{name}",
        f"//{folder}/{name}",
        f"{folder}/{'a' * 3_000}",
        f"{folder}/%ff%fe",
        f"{folder}/",
    ):
        status, body = server.raw("GET", f"{trick}?{query}")
        assert status in (400, 403, 404), trick
        assert b"root:" not in body
        assert not body.startswith((b"\x89PNG", b"RIFF", b"SQLite"))


@EACH_VENDOR
def test_an_encoded_path_that_means_the_signed_one_is_that_one(
    server: Darkroom, client: httpx.Client, ids: dict[str, str], vendor: Vendor
) -> None:
    path, query = target(links_of(vendor, client, ids)[0])
    status, body = server.raw("GET", f"{path[:-1]}%{ord(path[-1]):02x}?{query}")
    assert status == 200
    assert body.startswith(b"\x89PNG")


def test_a_link_with_a_result_that_does_not_exist_is_refused_like_any_unsigned_one(
    client: httpx.Client, ids: dict[str, str]
) -> None:
    path, query = target(links_of(DIMILINKS, client, ids)[0])
    for index in ("1", "64", "65", "-1", "x", "²", "00"):
        assert client.get(f"{path.rpartition('/')[0]}/{index}?{query}").status_code in (400, 403)


def test_a_link_of_a_deleted_task_leads_nowhere(server: Darkroom, client: httpx.Client) -> None:
    task = finished(client)
    anybody, output = server.client(None), task["outputs"][0]
    assert anybody.get(output["url"]).status_code == 200
    assert client.delete(f"/api/tasks/{task['id']}").status_code == 204
    assert NATIVE.refused(anybody.get(output["url"])) == "404 not_found"
    assert NATIVE.refused(anybody.get(output["thumbnail_url"])) == "404 not_found"
    assert not [name for name, size in server.objects().items() if size == output["size"] and task["id"] in name]


def test_an_upload_can_be_read_by_its_link_alone(server: Darkroom, client: httpx.Client, picture: bytes) -> None:
    kept = answered(client.post("/api/files", files={"file": ("a.png", picture)}))
    assert server.client(None).get(kept["url"]).content == picture
    path, query = target(kept["url"])
    assert NATIVE.refused(client.get(path)) == "400 invalid_input"
    assert NATIVE.refused(client.get(f"{path[:-1]}?{query}")) == "403 invalid_link"


def test_links_stay_valid_when_the_server_starts_again(tmp_path: Path) -> None:
    with Darkroom(tmp_path) as server:
        client = server.client()
        output = finished(client)["outputs"][0]
        uploaded = answered(client.get("/api/tasks"))["items"][0]["outputs"][0]["url"]
        assert unsigned(uploaded) == unsigned(output["url"])
        content = client.get(output["url"]).content
        server.restart()
        for link in (output["url"], output["thumbnail_url"]):
            path, query = target(link)
            assert server.client(None).get(f"{path}?{query}").status_code == 200
        path, query = target(output["url"])
        assert server.client(None).get(f"{path}?{query}").content == content


def test_links_live_as_long_as_the_operator_says(tmp_path: Path) -> None:
    with Darkroom(tmp_path, env={"DARKROOM_LINK_HOURS": "0.01"}) as server:
        before = time.time()
        url = finished(server.client())["outputs"][0]["url"]
        expires = int(parse_qs(urlsplit(url).query)["exp"][0]) / 1000
        assert before + 36 <= expires <= time.time() + 72


@EACH_VENDOR
def test_an_expired_link_opens_nothing(
    server: Darkroom, client: httpx.Client, ids: dict[str, str], vendor: Vendor
) -> None:
    with contextlib.closing(sqlite3.connect(server.data / "darkroom.db")) as database:
        key_id, secret = database.execute("SELECT id, secret FROM signing_key").fetchone()
    signer = Signer([SigningKey(key_id, bytes.fromhex(secret))], period_ms=1, lifetime_ms=60_000)
    now = time.time_ns() // 1_000_000
    for link in links_of(vendor, client, ids):
        path, _ = target(link)
        signed = path.removeprefix("/api")
        assert client.get(f"{path}?{signer.sign(signed, now)}").status_code == 200
        response = client.get(f"{path}?{signer.sign(signed, now - 60_001)}")
        assert response.status_code == 403
        assert_no_file(vendor, response)
        if vendor is NATIVE:
            assert vendor.refused(response) == "403 expired_link"
