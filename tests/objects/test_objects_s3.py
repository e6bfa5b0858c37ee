"""Object storage on a real S3 server: everything that a folder does, and what only a cloud has."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import httpx
import pytest
from obstore.store import S3Store

from bad_line import Line
from darkroom.core.errors import Code, TaskError
from darkroom.objects import Objects
from darkroom.objects.cloud import Cloud, Links, open_cloud
from darkroom.testing.objects import LARGE, PICTURE, ObjectsSuite, keys, read
from seaweed import BUCKET, READER_ID, READER_SECRET, Seaweed

NOW = time.time_ns() // 1_000_000
MINUTE = 60_000  # milliseconds
SHOWN = {"media_type": "image/png", "disposition": 'inline; filename="task_1-1.png"'}


class TestS3(ObjectsSuite):
    @pytest.fixture(autouse=True)
    def _server(self, seaweed: Seaweed) -> None:
        self.seaweed = seaweed

    def objects(self, folder: Path) -> Objects:
        return Objects.open(self.seaweed.place(), self.seaweed.cloud())


@pytest.fixture
def objects(seaweed: Seaweed) -> Objects:
    return Objects.open(seaweed.place(), seaweed.cloud())


def fetch(method: str, url: str, **headers: str) -> httpx.Response:
    return httpx.request(method, url, headers=headers, trust_env=False, timeout=60)


async def link(objects: Objects, key: str = "tasks/t/1/0", method: str = "GET", until: int = MINUTE) -> str:
    now = time.time_ns() // 1_000_000
    url = await objects.link(method, key, until=now + until, now=now, **SHOWN)
    assert url is not None
    return url


# ---- settings and environment


async def test_the_environment_says_where_and_with_what_keys(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    objects = Objects.open(seaweed.place())
    await objects.check()
    await objects.put("tasks/t/1/0", PICTURE)
    assert fetch("GET", await link(objects)).content == PICTURE


async def test_the_settings_win_over_the_environment(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "nonsense")
    objects = Objects.open(seaweed.place(), seaweed.cloud())
    await objects.check()
    await objects.put("tasks/t/1/0", PICTURE)
    assert fetch("GET", await link(objects)).content == PICTURE


async def test_places_in_one_bucket_do_not_see_each_other(seaweed: Seaweed) -> None:
    place = seaweed.place()
    whole, one, other = (Objects.open(url, seaweed.cloud()) for url in (place, f"{place}/a/", f"{place}/ab"))
    await one.put("k", b"x")
    assert (await keys(one), await keys(other), await keys(whole)) == (["k"], [], ["a/k"])


@pytest.mark.parametrize(
    ("url", "cloud", "says"),
    [
        ("s3://", {}, "names no bucket: write s3://BUCKET"),
        ("s3:///prefix", {}, "names no bucket"),
        ("s3://bucket?x=1", {}, "names no bucket"),
        ("s3://bucket", {"endpoint": "http://127.0.0.1:9"}, "plain http.*objects_allow_http = true"),
        ("s3://bucket", {"public_endpoint": "http://127.0.0.1:9"}, "plain http"),
        ("s3://bucket", {"endpoint": "minio.example.com:9000"}, "is no endpoint: write https://HOST"),
        ("s3://bucket", {"public_endpoint": "ftp://example.com"}, "is no endpoint"),
        ("s3://bucket", {"key_id": "AKIA"}, "a key has two parts"),
        ("gs://bucket", {"endpoint": "https://example.com"}, "for s3:// alone"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_opened(url: str, cloud: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Objects.open(url, Cloud(**cloud))


def test_other_clouds_are_opened_by_their_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    for url in ("gs://bucket", "gs://bucket/prefix", "az://container", "az://container/prefix"):
        assert isinstance(Objects.open(url), Objects)


async def test_a_link_of_another_cloud_is_made_by_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    objects = Objects.open("az://container/prefix")
    url = httpx.URL(await link(objects))
    assert (url.host, url.path) == ("account.blob.core.windows.net", "/container/prefix/tasks/t/1/0")
    assert "sig" in url.params
    saved = await objects.link(
        "GET", "k", until=NOW + MINUTE, now=NOW, media_type="image/png", disposition='attachment; filename="a.png"'
    )
    assert saved is None  # nothing could tell the browser, so the server sends it


# ---- the check at the start


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"secret": "wrong"}, r"refuses \(SignatureDoesNotMatch\): check the keys"),
        ({"key_id": "nobody"}, r"refuses \(InvalidAccessKeyId\): check the keys"),
        ({"key_id": READER_ID, "secret": READER_SECRET}, r"refuses \(AccessDenied\): check the keys"),
        ({"endpoint": "http://127.0.0.1:9", "seconds": 1.0}, "cannot be reached: check objects_endpoint"),
        ({"endpoint": "http://nowhere.invalid", "seconds": 1.0}, "cannot be reached: check objects_endpoint"),
    ],
    ids=["wrong secret", "unknown key", "may not write", "nobody listens", "no such host"],
)
async def test_the_check_says_what_to_do(seaweed: Seaweed, change: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        await Objects.open(seaweed.place(), seaweed.cloud(**change)).check()
    assert "\n" not in str(caught.value)


async def test_the_check_says_that_there_is_no_such_bucket(seaweed: Seaweed) -> None:
    with pytest.raises(ValueError, match=r"no such bucket|refuses"):
        await Objects.open("s3://nobody-made-this", seaweed.cloud()).check()


@pytest.mark.parametrize("kind", ["s3", "folder", "memory"])
async def test_the_check_leaves_nothing_behind(seaweed: Seaweed, tmp_path: Path, kind: str) -> None:
    url = {"s3": seaweed.place(), "folder": str(tmp_path), "memory": "memory://"}[kind]
    objects = Objects.open(url, seaweed.cloud())
    await objects.check()
    assert await keys(objects) == []


async def test_the_check_says_that_no_links_can_be_made(seaweed: Seaweed) -> None:
    store, _ = open_cloud(seaweed.place(), seaweed.cloud())
    unsigned = S3Store("bucket", config={"region": "us-east-1", "metadata_endpoint": "http://127.0.0.1:9"},
                       client_options={"allow_http": True}, retry_config={"max_retries": 0})  # fmt: skip
    with pytest.raises(ValueError, match="links to the storage cannot be made: set objects_redirect = false"):
        await Objects(store, links=Links(unsigned)).check()


# ---- links to the storage itself


async def test_a_link_opens_its_file_with_type_and_name(objects: Objects) -> None:
    await objects.put("tasks/t/1/0", PICTURE)
    for method in ("GET", "HEAD"):
        answer = fetch(method, await link(objects, method=method))
        assert (answer.status_code, answer.content) == (200, PICTURE if method == "GET" else b"")
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["content-disposition"] == 'inline; filename="task_1-1.png"'
        assert answer.headers["content-length"] == str(len(PICTURE))
    part = fetch("GET", await link(objects), Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, PICTURE[10:20])


@pytest.mark.parametrize("key", ["tasks/a.b-c_d/0.png", "tasks/" + "x" * 200, "-"])
async def test_odd_keys_have_links_like_others(objects: Objects, key: str) -> None:
    await objects.put(key, b"x")
    assert fetch("GET", await link(objects, key)).content == b"x"


async def test_a_link_opens_nothing_else(objects: Objects) -> None:
    await objects.put("tasks/t/1/0", PICTURE)
    await objects.put("tasks/t/1/1", b"another one")
    url = await link(objects)
    assert fetch("GET", url.replace("/1/0?", "/1/1?")).status_code == 403
    assert fetch("GET", url.replace("image%2Fpng", "text%2Fhtml")).status_code == 403
    assert fetch("PUT", url).status_code == 403
    assert fetch("DELETE", url).status_code == 403
    assert await read(await objects.get("tasks/t/1/0")) == PICTURE


async def test_a_link_ends_when_it_is_to_end(objects: Objects) -> None:
    await objects.put("tasks/t/1/0", PICTURE)
    past = time.time_ns() // 1_000_000 - 10 * MINUTE
    url = await objects.link("GET", "tasks/t/1/0", until=past + MINUTE, now=past, **SHOWN)
    assert url is not None
    assert fetch("GET", url).status_code == 403
    assert httpx.URL(await link(objects, until=90_999)).params["X-Amz-Expires"] in ("90", "91")
    assert httpx.URL(await link(objects, until=10 * 60 * MINUTE)).params["X-Amz-Expires"] == "3600"
    assert await objects.link("GET", "k", until=NOW + 400 - NOW % 1000, now=NOW - NOW % 1000, **SHOWN) is None


async def test_no_link_leads_where_nobody_may_be_sent(seaweed: Seaweed, tmp_path: Path) -> None:
    for objects in (
        Objects.open(seaweed.place(), seaweed.cloud(redirect=False)),
        Objects.open(str(tmp_path)),
        Objects.open("memory://"),
    ):
        assert await objects.link("GET", "k", until=NOW + MINUTE, now=NOW, **SHOWN) is None


async def test_links_lead_to_the_public_endpoint_and_the_server_uses_the_other(seaweed: Seaweed) -> None:
    place = seaweed.place()
    with Line(seaweed.port) as inner, Line(seaweed.port) as outer:
        cloud = seaweed.cloud(endpoint=inner.address, public_endpoint=outer.address + "/")
        objects = Objects.open(place, cloud)
        await objects.put("tasks/t/1/0", PICTURE)
        assert (inner.connections > 0, outer.connections) == (True, 0)
        url = await link(objects)
        assert url.startswith(f"{outer.address}/{BUCKET}/")
        assert fetch("GET", url).content == PICTURE
        assert outer.connections == 1


async def test_a_file_keeps_its_media_type_for_links_that_cannot_say_it(seaweed: Seaweed) -> None:
    place = seaweed.place()
    await Objects.open(place, seaweed.cloud()).put("tasks/t/1/0", PICTURE, "image/webp")
    store, _ = open_cloud(place, seaweed.cloud())
    url = await Links(store).url("GET", "tasks/t/1/0", until=NOW + MINUTE, now=NOW, **SHOWN)
    assert url is not None
    assert fetch("GET", url).headers["content-type"] == "image/webp"


# ---- large and many


async def test_a_large_file_is_sent_and_read_in_small_pieces(objects: Objects, tmp_path: Path) -> None:
    source = tmp_path / "film"
    with source.open("wb") as file:
        file.truncate(LARGE)
    tracemalloc.start()
    try:
        await objects.put("tasks/t/1/0", source)
        length = 0
        async for chunk in await objects.get("tasks/t/1/0"):
            length += len(chunk)
        await objects.download("tasks/t/1/0", tmp_path / "copy")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert length == LARGE == (tmp_path / "copy").stat().st_size
    assert peak < 8_000_000


async def test_many_files_are_removed_by_few_requests(seaweed: Seaweed) -> None:
    with Line(seaweed.port) as line:
        objects = Objects.open(seaweed.place(), seaweed.cloud(endpoint=line.address))
        for n in range(12):
            await objects.put(f"tasks/t/1/{n}", b"x")
        await objects.delete(*(f"tasks/t/1/{n}" for n in range(14)))
        assert await keys(objects) == []


async def test_a_name_that_is_taken_is_no_error_but_an_absent_file_is(objects: Objects) -> None:
    await objects.put("tasks/t/1/0", b"old")
    await objects.put("tasks/t/1/0", b"new")
    assert await read(await objects.get("tasks/t/1/0")) == b"new"
    with pytest.raises(TaskError) as caught:
        await objects.get("tasks/t/1/1")
    assert caught.value.code is Code.NOT_FOUND
