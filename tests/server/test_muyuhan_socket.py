"""The socket of muyuhan's apps over the real server: a task and its credits as they move, and who is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from harness import FAKE_DEFAULTS, Darkroom, fetched, unsigned, until
from samples import broken_png, png
from vendors import answered, form
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PATIENCE = 60.0
Frame = dict[str, Any]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server that devices may log in to."""
    with Darkroom(
        tmp_path_factory.mktemp("opened"),
        env={
            "DARKROOM_DEVICE_CREDITS": "100",
            "DARKROOM_RETRY_SECONDS": "0.05",
            "DARKROOM_DEFAULTS": FAKE_DEFAULTS.replace('"image.filter" = "fake"', '"image.filter" = "filters-v1"'),
        },
        flags=("--workers", "2"),
    ) as running:
        yield running
        assert "Traceback" not in running.log


class Device:
    """A device that logged in."""

    def __init__(self, server: Darkroom, udid: str) -> None:
        self._server = server
        self._udid = udid
        self.log_in()

    def log_in(self) -> None:
        """Get a new token."""
        body = {"appId": "com.example.app", "udid": self._udid}
        self.token = answered(self._server.client(None).post("/saveDevice", json=body))["data"]["accessToken"]

    @property
    def client(self) -> httpx.Client:
        """A client that sends the token as the vendor's apps do."""
        return self._server.client(None, headers={"Authorization": self.token})

    def submit(self, **request: Any) -> dict[str, Any]:
        """What a submit is answered."""
        data: dict[str, Any] = answered(self.client.post("/submitTask", **request))["data"]
        return data

    @asynccontextmanager
    async def socket(self, prefix: str = "") -> AsyncIterator[ClientConnection]:
        """The device's socket."""
        async with listening(self._server, f"{prefix}/ws?token={self.token}") as socket:
            yield socket


@asynccontextmanager
async def listening(server: Darkroom, target: str) -> AsyncIterator[ClientConnection]:
    """A connection without a proxy between."""
    async with connect(server.address.replace("http", "ws", 1) + target, proxy=None) as socket:
        yield socket


async def frames(socket: ClientConnection, last: int) -> list[Frame]:
    """What comes up to the first frame of a type, without heartbeats, each answered as the vendor's page says."""
    found: list[Frame] = []
    async with asyncio.timeout(PATIENCE):
        while not found or found[-1]["type"] != last:
            frame = json.loads(await socket.recv())
            assert list(frame) == ["type", "msg", "data"]
            if frame["type"] == 1:
                with suppress(ConnectionClosed):  # the frames behind this one may say why
                    await socket.send('{"type": "pong"}')
            else:
                found.append(frame)
    return found


async def closed(socket: ClientConnection) -> int | None:
    """The code that a connection ends with; whatever comes before is dropped."""
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionClosed):
            async for _ in socket:
                pass
        await socket.wait_closed()
    return socket.close_code


@pytest.fixture
def device(opened: Darkroom, request: pytest.FixtureRequest) -> Device:
    """A device of the test's own."""
    return Device(opened, request.node.name)


@pytest.mark.parametrize("prefix", ["", "/muyuhan"])
async def test_a_task_is_told_from_its_submit_to_its_result(device: Device, prefix: str) -> None:
    async with device.socket(prefix) as socket:
        made = device.submit(json={"taskType": 7, "content": "a lake"})
        found = await frames(socket, 30)
    assert [frame["type"] for frame in found] == [10, 5, 20, 30]
    submitted, charged, started, done = (frame["data"] for frame in found)
    assert charged == {"count": 1, "balance": 99, "payBalance": 0, "freeBalance": 99, "strengthBalance": 0}
    for data, state in ((submitted, 10), (started, 20), (done, 30)):
        assert (data["promptId"], data["taskId"], data["state"]) == (made["promptId"], made["taskId"], state)
    assert submitted["imageList"] == started["imageList"] == []
    assert done["fileUrl"] == done["imageList"][0]["origin"]
    assert fetched(done["fileUrl"]).status_code == fetched(done["thumbFileUrl"]).status_code == 200
    query = {"promptId": made["promptId"]}
    shown = answered(device.client.get(f"{prefix}/getTaskInfo", params=query))["data"]
    assert unsigned({name: value for name, value in done.items() if name != "fileUrl"}) == unsigned(shown)


async def test_a_task_that_fails_gives_its_credits_back(device: Device) -> None:
    async with device.socket() as socket:
        device.submit(json={"taskType": 7, "content": "a lake, fake:fail"})
        found = await frames(socket, 6)
    assert [frame["type"] for frame in found] == [10, 5, 20, 2, 6]
    failed, refunded = found[3], found[4]
    assert failed["data"]["state"] == 2
    assert failed["msg"] == failed["data"]["reason"] != ""
    assert refunded["data"] == {"count": 1, "balance": 100, "payBalance": 0, "freeBalance": 100, "strengthBalance": 0}


async def test_a_task_that_is_tried_again_is_charged_once(device: Device) -> None:
    async with device.socket() as socket:
        device.submit(json={"taskType": 7, "content": "a lake, fake:crash_once"})
        found = await frames(socket, 30)
    assert [frame["type"] for frame in found] == [10, 5, 20, 20, 30]


async def test_a_task_with_parts_is_told_as_a_whole_and_part_by_part_as_they_end(device: Device) -> None:
    pictures = [("images", (f"{side}.png", png(side, side))) for side in (30, 40)]
    async with device.socket() as socket:
        made = device.submit(files=[*pictures, *form(taskType="4")["files"]])
        found = await frames(socket, 30)
        while found[-1]["data"]["promptId"] != made["promptId"]:
            found += await frames(socket, 30)
    whole = [frame["type"] for frame in found if frame["data"].get("promptId") == made["promptId"]]
    parts = [frame for frame in found if frame["data"].get("promptId", made["promptId"]) != made["promptId"]]
    assert whole == [10, 20, 30]
    assert [frame["type"] for frame in parts] == [30, 30]
    assert [frame["data"]["count"] for frame in found if frame["type"] == 5] == [2]
    assert found[-1]["data"]["imageList"] == [
        image for part in found[-1]["data"]["taskList"] for image in part["imageList"]
    ]


async def test_a_part_that_fails_gives_its_own_credits_back(device: Device) -> None:
    pictures = [("images", ("a.png", png(30, 30))), ("images", ("b.png", broken_png()))]
    async with device.socket() as socket:
        made = device.submit(files=[*pictures, *form(taskType="5", styleId="12")["files"]])
        found = await frames(socket, 30)
        while found[-1]["data"]["promptId"] != made["promptId"]:
            found += await frames(socket, 30)
    failed = [frame["data"] for frame in found if frame["type"] == 2]
    assert [data["promptId"] for data in failed] == [found[-1]["data"]["taskList"][1]["promptId"]]
    assert [(frame["data"]["count"], frame["data"]["balance"]) for frame in found if frame["type"] == 6] == [(1, 99)]


async def test_a_newer_login_takes_the_socket_over(device: Device) -> None:
    async with device.socket() as first:
        device.log_in()
        async with device.socket() as second:
            (last,) = await frames(first, 50)
            assert (last["data"], last["msg"] != "") == (None, True)
            assert await closed(first) == 1008
            made = device.submit(json={"taskType": 7, "content": "a lake"})
            assert (await frames(second, 10))[-1]["data"]["promptId"] == made["promptId"]


@pytest.mark.parametrize("token", ["", "?token=", "?token=nonsense", "?token=" + "0" * 32])
async def test_a_wrong_token_is_closed_and_told_nothing(opened: Darkroom, token: str) -> None:
    async with listening(opened, "/ws" + token) as socket:
        assert await closed(socket) == 1008
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_the_token_of_an_earlier_login_is_refused(opened: Darkroom, device: Device) -> None:
    earlier = device.token
    device.log_in()
    async with listening(opened, f"/ws?token={earlier}") as socket:
        assert await closed(socket) == 1008


async def test_an_api_key_opens_the_socket_too_and_its_first_credits_are_free_ones(opened: Darkroom) -> None:
    key = opened.new_key(credits=7)
    async with listening(opened, f"/ws?token={key}") as socket:
        body = {"taskType": 7, "content": "a lake"}
        answered(opened.client(key).post("/submitTask", json=body))
        found = await frames(socket, 5)
    assert found[-1]["data"] == {"count": 1, "balance": 6, "payBalance": 0, "freeBalance": 6, "strengthBalance": 0}


async def test_tasks_of_other_dialects_are_told_too_and_those_of_others_are_not(
    opened: Darkroom, device: Device
) -> None:
    async with device.socket() as socket:
        opened.client().post("/api/tasks", json={"operation": "image.generate"})
        headers = {"Authorization": f"Bearer {device.token}"}
        body = {"operation": "image.generate", "params": {"prompt": "a lake"}}
        made = opened.client(None, headers=headers).post("/api/tasks", json=body).json()
        found = await frames(socket, 30)
    assert {frame["data"]["promptId"] for frame in found if frame["type"] != 5} == {made["id"]}


async def test_whatever_a_client_says_is_passed_over(device: Device) -> None:
    async with device.socket() as socket:
        for message in ("", "no json", "[" * 10_000, b"\x00\xff", '{"type": "pong"}'):
            await socket.send(message)
        device.submit(json={"taskType": 7, "content": "a lake"})
        assert (await frames(socket, 30))[-1]["type"] == 30


async def test_a_server_that_stops_closes_its_sockets(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Darkroom(tmp_path_factory.mktemp("stopping"), env={"DARKROOM_DEVICE_CREDITS": "0"}) as server:
        async with Device(server, "u").socket() as socket:
            assert json.loads(await socket.recv())["type"] == 1
            assert server.stop() == 0
            assert await closed(socket) == 1012
        assert "Traceback" not in server.log


def test_devices_cannot_log_in_unless_the_operator_lets_them(server: Darkroom) -> None:
    refused = server.client(None).post("/saveDevice", json={"appId": "a", "udid": "u"})
    assert (refused.status_code, refused.json()["code"], refused.json()["data"]) == (200, 401, None)
    assert "device_credits" in refused.json()["msg"]


def test_an_earlier_token_is_refused_within_seconds_of_a_newer_login(device: Device) -> None:
    earlier = device.client
    assert answered(earlier.post("/newImageHistory"))["code"] == 200
    device.log_in()
    until(lambda: answered(earlier.post("/newImageHistory"))["code"] == 401)
    assert answered(device.client.post("/newImageHistory"))["code"] == 200
