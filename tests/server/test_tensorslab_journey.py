"""A program written for TensorsLab, as its public clients are written, against this server: real pictures, real video.

It sends what they send (text parts without a content type, file parts without one too, `2K` to every model), checks
what they check, and saves what they save. `requests` is the library that these clients use.
"""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from harness import PATIENCE, Darkroom
from PIL import Image

import darkroom

SAMPLES = Path(darkroom.__file__).parent / "samples"
SMALL = "160x120"


class Client:
    """What the vendor's own scripts do, in short."""

    def __init__(self, server: Darkroom) -> None:
        self._address = server.address
        self._session = requests.Session()
        self._session.trust_env = False
        self._headers = {"Authorization": f"Bearer {server.key}"}

    def submit(self, path: str, *sources: Path, **fields: str) -> dict[str, Any]:
        """The answer to a submit, whatever its HTTP status."""
        parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in fields.items()]
        parts += [("sourceImage", (source.name, source.read_bytes())) for source in sources]
        url = f"{self._address}{path}"
        answer = self._session.post(url, headers=self._headers, files=parts, timeout=PATIENCE)
        body: dict[str, Any] = answer.json()
        return body

    def made(self, path: str, *sources: Path, **fields: str) -> str:
        """The id of a new task."""
        body = self.submit(path, *sources, **fields)
        assert body["code"] == 1000, body
        task_id: str = body["data"]["taskid"]
        assert "." not in task_id  # clients build a file's name of it and cut it at the dot
        assert not body["data"].get("url")  # clients would take it for the finished picture
        return task_id

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        """The answer to a JSON request."""
        return self._session.post(f"{self._address}{path}", headers=self._headers, json=body, timeout=PATIENCE)

    def wait(self, path: str, body: dict[str, Any], field: str) -> dict[str, Any]:
        """Poll until the status is 3 or 4."""
        give_up = time.monotonic() + 60
        while True:
            answer = self.post(path, body)
            answer.raise_for_status()
            assert answer.json()["code"] == 1000
            data: dict[str, Any] = answer.json()["data"]
            assert type(data[field]) is int
            if data[field] in (3, 4):
                return data
            assert data[field] in (1, 2, 5)
            assert data["url"] == []
            assert time.monotonic() < give_up
            time.sleep(0.05)

    def saved(self, url: str, folder: Path, name: str) -> Path:
        """Download a result with a bare GET; its name ends as its content type says."""
        answer = requests.get(url, timeout=PATIENCE, proxies={"http": "", "https": ""})
        answer.raise_for_status()
        kind = answer.headers["content-type"].partition(";")[0]
        path = folder / f"{name}{mimetypes.guess_extension(kind)}"
        path.write_bytes(answer.content)
        return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    folder = tmp_path_factory.mktemp("tensorslab")
    with Darkroom(folder, engines="procedural,opencv", env={"DARKROOM_DEFAULTS": "{}"}) as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture(scope="module")
def client(server: Darkroom) -> Client:
    return Client(server)


IMAGES, VIDEOS = "/v1/images/infobytaskid", "/v1/video/infobytaskid"


@pytest.mark.parametrize("model", ["seedreamv4", "seedreamv45", "seedreamv5", "zimage"])
def test_a_picture_is_made_by_every_model(client: Client, tmp_path: Path, model: str) -> None:
    task_id = client.made(f"/v1/images/{model}", prompt="一座雪山，日落", resolution=SMALL, category=model)
    data = client.wait(IMAGES, {"taskid": task_id}, "image_status")
    assert (data["image_status"], data["width"], data["height"]) == (3, 160, 120)
    assert time.strptime(data["starttime"], "%Y-%m-%d %H:%M:%S")
    [url] = data["url"]
    with Image.open(client.saved(url, tmp_path, task_id)) as picture:
        assert (picture.format, picture.size) == ("PNG", (160, 120))


def test_a_batch_has_as_many_pictures_as_were_asked_for(client: Client, tmp_path: Path) -> None:
    task_id = client.made("/v1/images/seedreamv5", prompt="a desert", resolution=SMALL, batchsize="3")
    data = client.wait(IMAGES, {"taskid": task_id}, "image_status")
    files = [client.saved(url, tmp_path, f"{task_id}_{index}") for index, url in enumerate(data["url"])]
    assert len({file.read_bytes() for file in files}) == 3


def test_a_picture_of_the_callers_is_edited(client: Client, tmp_path: Path) -> None:
    portrait = SAMPLES / "grace_hopper.jpg"
    task_id = client.made("/v1/images/quickedit", portrait, prompt="black and white", resolution=SMALL)
    data = client.wait(IMAGES, {"taskid": task_id}, "image_status")
    with Image.open(client.saved(data["url"][0], tmp_path, task_id)) as picture:
        red, green, blue = picture.convert("RGB").split()
        assert red.tobytes() == green.tobytes() == blue.tobytes()


def test_a_failed_task_says_why_in_the_task_and_not_in_the_envelope(client: Client, tmp_path: Path) -> None:
    text = tmp_path / "not-a-picture.png"
    text.write_text("this is text")
    body = client.submit("/v1/images/seedreamv4", text, prompt="brighter")
    assert (body["code"], bool(body["msg"])) == (9999, True)


def test_what_is_wrong_with_a_submit_stands_in_a_body_that_clients_read(client: Client, server: Darkroom) -> None:
    assert client.submit("/v1/images/seedreamv4", resolution="2K")["code"] == 9999
    poor = Darkroom.__new__(Darkroom)
    poor.address, poor.key = server.address, server.new_key(credits=0, name="poor")
    assert Client(poor).submit("/v1/images/seedreamv4", prompt="a lake")["code"] == 9000
    poor.key = "sk-wrong"
    assert Client(poor).submit("/v1/images/seedreamv4", prompt="a lake")["code"] == 9999


def test_an_unknown_task_is_404_with_a_body(client: Client) -> None:
    for path in (IMAGES, VIDEOS):
        answer = client.post(path, {"taskid": "abcd_1234567890abcdef"})
        assert (answer.status_code, answer.json()["code"]) == (404, 9999)


def test_a_video_is_made_from_two_pictures_with_sound(client: Client, tmp_path: Path) -> None:
    fields = {"ratio": "16:9", "duration": "1", "resolution": "480p", "fps": "8", "seed": "7"}
    sources = (SAMPLES / "astronaut.png", SAMPLES / "grace_hopper.jpg")
    task_id = client.made("/v1/video/seedancev2", *sources, prompt="she turns", generate_audio="1", **fields)
    data = client.wait(VIDEOS, {"taskid": task_id, "moreTaskInfo": False}, "task_status")
    assert data["task_status"] == 3, data
    assert data.keys() == {"taskid", "url", "task_status"}
    assert urlsplit(data["url"][0]).path.endswith(".mp4")
    assert client.saved(data["url"][0], tmp_path, task_id).read_bytes()[4:8] == b"ftyp"
    more = client.wait(VIDEOS, {"taskid": task_id, "moreTaskInfo": True}, "task_status")
    assert (more["source"], more["duration"], more["fps"], more["seed"]) == ("seedancev2", 1, 8, 7)
    assert (more["ratio"], more["resolution"], more["prompt"]) == ("16:9", "480p", "she turns")


def test_the_last_frame_comes_behind_the_video(client: Client, tmp_path: Path) -> None:
    fields = {"ratio": "1:1", "duration": "1", "resolution": "480p", "fps": "8"}
    task_id = client.made("/v1/video/seedancev2", prompt="waves", return_last_frame="1", **fields)
    data = client.wait(VIDEOS, {"taskid": task_id}, "task_status")
    video, last_frame = data["url"]
    assert client.saved(video, tmp_path, "video").suffix == ".mp4"
    with Image.open(client.saved(last_frame, tmp_path, "frame")) as picture:
        assert picture.size == (480, 480)


@pytest.mark.parametrize(("kind", "query"), [("images", IMAGES), ("video", VIDEOS)])
def test_deleted_tasks_are_gone_with_their_results(client: Client, server: Darkroom, kind: str, query: str) -> None:
    before = server.objects()
    fields = {"resolution": SMALL} if kind == "images" else {"resolution": "480p", "duration": "1", "fps": "8"}
    model = "zimage" if kind == "images" else "seedancev1"
    task_id = client.made(f"/v1/{kind}/{model}", prompt="a lake", **fields)
    field = "image_status" if kind == "images" else "task_status"
    data = client.wait(query, {"taskid": task_id}, field)
    path = "/v1/images/deleteimagestask" if kind == "images" else "/v1/video/deletevideotask"
    deleted = client.post(path, {"taskids": [task_id]})
    assert deleted.json() == {"code": 1000, "msg": "Successfully", "data": {"status": "Success"}}
    assert client.post(query, {"taskid": task_id}).status_code == 404
    assert requests.get(data["url"][0], timeout=PATIENCE, proxies={"http": "", "https": ""}).status_code == 404
    assert server.objects() == before
    assert client.post(path, {"taskids": []}).status_code == 400
