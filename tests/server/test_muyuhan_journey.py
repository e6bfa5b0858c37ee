"""A day of the vendor's app, page by page of its documentation, with the real engines at work.

https://doc.muyuhan.xin/api/face_wap/…: what is sent and expected is written from there, not from the server.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import Darkroom, fetched, polls
from samples import png, shape
from vendors import answered, form
from websockets.asyncio.client import connect

import darkroom
from films import times

SAMPLES = Path(darkroom.__file__).parent / "samples"
FACE, OTHER = (SAMPLES / "astronaut.png").read_bytes(), (SAMPLES / "grace_hopper.jpg").read_bytes()
SETTINGS = """
[dialect.muyuhan]
contact_us = "https://chat.example.com/help"
samples.13 = {before = "https://example.com/plain.webp", after = "https://example.com/noir.webp"}

[[dialect.muyuhan.groups]]
id = 2
title = "Seasons"
sort = 1
templates = [{id = 20, title = "Autumn", prompt = "warm autumn light"}]

[[dialect.muyuhan.groups]]
id = 3
title = "Moving"
templates = [{id = 30, title = "Closer", task_type = 7, prompt = "zoom in"}]

[[dialect.muyuhan.purchases]]
id = 38
price = 99
amount = 50
product_id = "app.50"

[[dialect.muyuhan.subscriptions]]
id = 4
price = 799
product_id = "app.week"
cycle = 1
"""
OPTIONS = {
    "DARKROOM_DEVICE_CREDITS": "100",
    "DARKROOM_DEFAULTS": "{}",
    "DARKROOM_PRICES": '{"filters-v1" = 5, "edit-v1" = 10, "procedural-video-v1" = 20}',
}
TEMPLATE = {
    *("id", "title", "description", "covering", "prompt", "images", "apiType", "price", "isShow", "isAudit", "sort"),
    *("updatedAt", "imageParam", "imageTemplateCovering"),
}
ROW = {"id", "taskId", "promptId", "covering", "origin", "reason", "state", "createdAt"}
RECENT = {
    *("id", "title", "covering", "image", "workflowId", "prompt", "favoriteCount", "isAudit", "pid", "sort"),
    *("createdAt", "updatedAt"),
}


class App:
    """The app on one device."""

    def __init__(self, server: Darkroom) -> None:
        self.server = server
        self.identity = {"appId": "com.example.app", "udid": "6F9619FF-8B86-D011-B42D-00CF4FC964FF"}
        self.client = server.client(None)

    def log_in(self) -> dict[str, Any]:
        """`/saveDevice`, as a form."""
        told = {"vpn": "false", "deviceName": "Phone", "systemName": "iOS", "language": "en", "appVersion": "1.2.1"}
        data: dict[str, Any] = self.data(self.client.post("/saveDevice", data={**self.identity, **told}))
        self.client.headers["Authorization"] = data["accessToken"]
        return data

    def ask(self, path: str, **fields: Any) -> Any:
        """An action with a JSON body."""
        return self.data(self.client.post(path, json={**self.identity, **fields}))

    def submit(self, task_type: int, *pictures: bytes, **fields: str) -> str:
        """`/submitTask` as a multipart form; the task's `promptId`."""
        files = [("images", (f"{number}.png", picture)) for number, picture in enumerate(pictures)]
        parts = form(taskType=str(task_type), **self.identity, **fields)["files"]
        data = self.data(self.client.post("/submitTask", files=[*files, *parts]))
        assert data.keys() == {"promptId", "customTaskId", "taskId", "id", "state"}
        assert re.fullmatch("[0-9a-f]{32}", data["promptId"])
        found: str = data["promptId"]
        return found

    def poll(self, prompt_id: str) -> dict[str, Any]:
        """`/getTaskInfo` until the task is done."""
        query = {"promptId": prompt_id, "wait": "5"}
        *_, last = polls(
            lambda: self.data(self.client.get("/getTaskInfo", params=query)),
            lambda task: task["state"] in (30, 2),
            seconds=60,
        )
        found: dict[str, Any] = last
        return found

    @staticmethod
    def data(response: httpx.Response) -> Any:
        """The data of a success."""
        body = answered(response)
        assert list(body) == ["code", "msg", "data"]
        assert (body["code"], body["msg"]) == (200, "SUCCESS"), body
        return body["data"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app, logged in for the first time."""
    folder = tmp_path_factory.mktemp("journey")
    (folder / "darkroom.toml").write_text(SETTINGS)
    flags = ("--workers", "2", "--config", str(folder / "darkroom.toml"))
    with Darkroom(folder, engines="opencv,procedural", env=OPTIONS, flags=flags) as server:
        app = App(server)
        login = app.log_in()
        assert (login["isNewDevice"], login["freeBalance"], login["payBalance"]) == (True, 100, 0)
        yield app
        assert "Traceback" not in server.log


@pytest.fixture(scope="module")
def made(app: App) -> dict[str, dict[str, Any]]:
    """A finished task of every kind, by name, in the order in which they were submitted."""
    small = png(64, 48)
    tasks = {
        "swap": app.submit(3, FACE, OTHER),
        "enhance": app.submit(4, small),
        "filter": app.submit(5, small, png(48, 64), styleId="13"),
        "edit": app.submit(5, small, styleId="20"),
        "upscale": app.submit(6, small, scale="2"),
        "video": app.submit(7, small, styleId="30", seed="7"),
    }
    return {name: app.poll(prompt_id) for name, prompt_id in tasks.items()}


def test_a_device_logs_in_again_as_the_same_user(app: App) -> None:
    first, second = app.log_in(), app.log_in()
    assert not second["isNewDevice"]
    assert first["userId"] == second["userId"]
    assert first["accessToken"] != second["accessToken"]
    assert re.fullmatch("[0-9a-f]{32}", second["accessToken"])
    assert second["contactUs"] == "https://chat.example.com/help"


def test_the_app_reads_its_choices_and_costs(app: App) -> None:
    config = app.ask("/imageVideoConfig")
    assert config.keys() == {"aspectRatioList", "qualityList", "imageCost", "videoCost"}
    assert [ratio["title"] for ratio in config["aspectRatioList"]] == ["16:9", "9:16", "1:1", "3:4", "3:2", "2:3"]
    assert (config["imageCost"], config["videoCost"]) == (10, 20)


def test_the_app_shows_templates_with_their_prices(app: App) -> None:
    filters, seasons = app.ask("/imageGroupList")
    assert filters["imageTemplates"][12]["covering"]["after"] == "https://example.com/noir.webp"
    (autumn,) = seasons["imageTemplates"]
    assert autumn.keys() == TEMPLATE
    assert (autumn["id"], autumn["price"], autumn["apiType"], autumn["images"]) == (20, 10, 1, None)
    assert {template["price"] for template in filters["imageTemplates"]} == {5}


def test_the_app_shows_what_is_on_sale_before_a_login(app: App) -> None:
    stranger = app.server.client(None)
    (week,) = App.data(stranger.post("/rechargePackage", data={"limitBuy": "0"}))
    sale = App.data(stranger.post("/rechargePurchaseList", json=app.identity))
    assert (week["productId"], week["cycle"]) == ("app.week", 1)
    assert [item["amount"] for item in sale["purchaseList"]] == [50]
    assert sale["subscribeList"] == [{name: value for name, value in week.items() if name != "cycle"}]


@pytest.mark.parametrize(
    ("name", "task_type", "sizes"),
    [
        ("swap", 3, [(512, 600)]),
        ("enhance", 4, [(64, 48)]),
        ("filter", 5, [(64, 48), (48, 64)]),
        ("edit", 5, [(64, 48)]),
        ("upscale", 6, [(128, 96)]),
    ],
)
def test_every_kind_of_picture_is_made(
    made: dict[str, dict[str, Any]], name: str, task_type: int, sizes: list[tuple[int, int]]
) -> None:
    task = made[name]
    assert (task["state"], task["reason"], task["taskType"]) == (30, "", task_type)
    assert [shape(fetched(image["origin"]).content)[1] for image in task["imageList"]] == sizes
    assert [shape(fetched(image["path"]).content)[0] for image in task["imageList"]] == ["WEBP"] * len(sizes)
    assert len(task["taskList"]) == (len(sizes) if len(sizes) > 1 else 0)


def test_a_video_is_made_of_a_picture_and_a_template(made: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    task = made["video"]
    assert (task["state"], task["taskType"]) == (30, 7)
    (video,) = task["imageList"]
    assert ".mp4" in video["origin"]
    (tmp_path / "video.mp4").write_bytes(fetched(video["origin"]).content)
    assert len(times(tmp_path / "video.mp4")) > 24
    assert shape(fetched(video["path"]).content)[0] == "WEBP"


def test_a_picture_is_uploaded_first_and_used_by_its_name(app: App) -> None:
    kept = App.data(
        app.client.post("/picUpload", files={"images": ("a.png", png(64, 48))}, data={**app.identity, "taskType": "8"})
    )
    assert (kept["state"], kept["customTaskId"]) == (30, kept["fileName"])
    made = app.ask("/submitTask", taskType=6, fileName=kept["customTaskId"])
    assert app.poll(made["promptId"])["state"] == 30


def test_the_pictures_of_a_day_are_listed_newest_first(app: App, made: dict[str, dict[str, Any]]) -> None:
    rows = app.ask("/newImageHistory", page=1, pageSize=50)
    assert all(row.keys() == ROW | {"styleId", "imageTemp"} for row in rows)
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    by_prompt = {row["promptId"]: row for row in rows}
    parts = [by_prompt[part["promptId"]] for part in made["filter"]["taskList"]]
    for row in parts:
        assert (row["styleId"], row["covering"], row["state"]) == (13, "https://example.com/noir.webp", 30)
        assert row["imageTemp"].keys() == TEMPLATE
        assert fetched(row["origin"]).status_code == 200
    plain = by_prompt[made["enhance"]["promptId"]]
    assert (plain["styleId"], plain["imageTemp"], plain["taskId"]) == (0, None, made["enhance"]["taskId"])
    assert fetched(plain["covering"]).content == png(64, 48)
    assert made["video"]["promptId"] not in by_prompt


def test_a_history_is_read_page_by_page(app: App, made: dict[str, dict[str, Any]]) -> None:
    whole = app.ask("/newImageHistory", pageSize=100)
    pages, number = [], 1
    while page := app.ask("/newImageHistory", page=number, pageSize=2):
        pages += page
        number += 1
    assert [row["id"] for row in pages] == [row["id"] for row in whole]
    assert len(whole) > len(made)


def test_the_album_of_earlier_apps_has_two_forms(app: App, made: dict[str, dict[str, Any]]) -> None:
    pictures, videos = app.ask("/userAlbum", pageSize=50), app.ask("/userAlbum", type=1)
    assert all(row.keys() == ROW | {"styleId", "imageTemp"} for row in pictures)
    assert {type(row["taskId"]) for row in pictures + videos} == {str}
    assert [(row["promptId"], row.keys()) for row in videos] == [(made["video"]["promptId"], ROW)]


def test_the_videos_are_listed_with_their_templates(app: App, made: dict[str, dict[str, Any]]) -> None:
    (row,) = app.ask("/videoTaskHistory")
    assert row.keys() == ROW | {"styleId", "videoTemp"}
    assert (row["promptId"], row["styleId"]) == (made["video"]["promptId"], 30)
    assert (row["videoTemp"]["title"], row["videoTemp"]["prompt"]) == ("Closer", "zoom in")


def test_the_templates_of_the_day_are_offered_again(app: App, made: dict[str, dict[str, Any]]) -> None:
    assert made
    pictures, videos = app.ask("/recentList", type=2), app.ask("/recentList", type=1)
    assert [(row["title"], row["favoriteCount"]) for row in pictures] == [("Autumn", 1), ("Noir", 1)]
    assert [row["title"] for row in videos] == ["Closer"]
    assert (pictures[0].keys(), videos[0].keys()) == (RECENT, RECENT | {"thumb", "video"})


def test_an_app_of_the_sister_kind_reads_the_same_task(app: App, made: dict[str, dict[str, Any]]) -> None:
    query = {"custom_task_id": made["edit"]["promptId"]}
    body = answered(app.client.get("/getTaskInfo", params=query))
    assert (body["code"], body["msg"]) == (200, "")
    info, (image,) = body["data"]["taskInfo"], body["data"]["imageList"]
    assert (info["state"], info["cost"], info["styleId"], info["content"]) == (30, 10, 20, "warm autumn light")
    assert (image["width"], image["height"], image["styleName"]) == (64, 48, "Autumn")


def test_a_mistake_is_a_parameter_error_and_a_strange_task_no_data(app: App) -> None:
    for path, body, code in (
        ("/submitTask", {"taskType": 5, "styleId": 99, "fileName": "x"}, 800),
        ("/submitTask", {"taskType": 6, "fileName": "file_of_somebody_else"}, 900),
        ("/newImageHistory", {"pageSize": 1000}, 800),
        ("/saveDevice", {"appId": "a"}, 800),
    ):
        answer = app.client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"], answer.json()["data"]) == (200, code, None), path
        assert answer.json()["msg"]
    assert app.client.get("/getTaskInfo", params={"promptId": "0" * 32}).json()["code"] == 900
    assert app.server.client(None).post("/newImageHistory").json()["code"] == 401


def test_the_socket_tells_of_a_task_while_the_app_waits(app: App) -> None:
    async def listen() -> list[dict[str, Any]]:
        address = app.server.address.replace("http", "ws", 1)
        found: list[dict[str, Any]] = []
        async with connect(f"{address}/ws?token={app.client.headers['Authorization']}", proxy=None) as socket:
            prompt_id = await asyncio.to_thread(app.submit, 5, png(64, 48), styleId="3")
            while not found or found[-1]["type"] != 30:
                frame = json.loads(await asyncio.wait_for(socket.recv(), 20))
                if frame["type"] == 1:
                    await socket.send('{"type": "pong"}')
                else:
                    found.append(frame)
        assert found[-1]["data"]["promptId"] == prompt_id
        return found

    before = app.server.client(None, headers={"Authorization": f"Bearer {app.client.headers['Authorization']}"})
    balance = answered(before.get("/api/account"))["available"]
    submitted, charged, started, done = asyncio.run(listen())
    assert [frame["type"] for frame in (submitted, charged, started, done)] == [10, 5, 20, 30]
    assert (charged["data"]["count"], charged["data"]["freeBalance"]) == (5, balance - 5)
    assert shape(fetched(done["data"]["fileUrl"]).content) == ("PNG", (64, 48))


def test_an_app_without_credits_is_told_so(app: App) -> None:
    poor = app.server.client(app.server.new_key(credits=4))
    body = {"taskType": "5", "styleId": "13"}
    refused = poor.post("/submitTask", files=[("images", ("a.png", png(64, 48))), *form(**body)["files"]])
    assert (refused.status_code, refused.json()["code"]) == (200, 402)
