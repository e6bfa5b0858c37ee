"""The muyuhan dialect: histories and the templates that were used lately."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from darkroom.core.commands import DownloadFile, List, TaskPage
from darkroom.core.errors import Code, TaskError
from darkroom.core.family import combine
from darkroom.core.task import Artifact, Failure, File, Operation, State, Task
from darkroom.dialects import Dialect
from darkroom.dialects.muyuhan import configure, dialect
from darkroom.testing.exchange import ask

PAGES = ("/newImageHistory", "/userAlbum", "/videoTaskHistory")
CREATED = 1_766_737_858
IMAGES = tuple(operation for operation in Operation if operation.startswith("image."))
VIDEOS = tuple(operation for operation in Operation if operation.startswith("video."))
PICTURE = File("file_1", "in/1", "image/jpeg", 10, 4, 4)
CLIP = File("file_2", "in/2", "video/mp4", 10, 4, 4)
WAVES = {
    "id": 30,
    "title": "Waves",
    "task_type": 7,
    "prompt": "waves",
    "video": "https://example.com/waves.mp4",
    "covering": {"after": "https://example.com/waves.webp"},
    "author": "the studio",
    "sort": 4,
    "created_at": 1753913160,
    "updated_at": 1761181034,
}
OWN = configure(
    {
        "samples": {"2": {"before": "https://example.com/plain.png", "after": "https://example.com/painted.png"}},
        "groups": [{"id": 2, "title": "Videos", "templates": [WAVES]}],
    }
)


def artifact(index: int = 0, media_type: str = "image/png", *, thumbnail: bool = True) -> Artifact:
    return Artifact(f"out/{index}", media_type, 10, 4, 4, f"thumb/{index}" if thumbnail else None)


def task(seq: int = 7, state: State = State.SUCCEEDED, **fields: Any) -> Task:
    video = fields.get("operation", "").startswith("video.")
    results = (artifact(media_type="video/mp4" if video else "image/png"),) if state is State.SUCCEEDED else ()
    values: dict[str, Any] = {
        "operation": Operation.IMAGE_FILTER,
        "inputs": (PICTURE,),
        "artifacts": results,
        "created_at": CREATED * 1000 + 999,
        "public_id": f"p{seq}",
        **fields,
    }
    return Task(
        id=f"id-{seq}", account_id="caller", dialect="muyuhan", model="m", engine="e", seq=seq, state=state, **values
    )


def rows(path: str, *tasks: Task, to: Dialect = dialect, body: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    endpoint, wire = ask(to, "POST", path, body=body or {})
    answer = json.loads(endpoint.encode(TaskPage(tasks, None), wire).body)
    assert (answer["code"], answer["msg"]) == (200, "SUCCESS")
    data: list[dict[str, Any]] = answer["data"]
    return data


def asked(path: str, body: Any = None, to: Dialect = dialect, **request: Any) -> List:
    endpoint, wire = ask(to, "POST", path, body=body, **request)
    command = endpoint.decode(wire)
    assert isinstance(command, List)
    return command


def path_of(link: str) -> str:
    return urlsplit(link).path


# ---- pages


@pytest.mark.parametrize("path", PAGES)
def test_a_history_has_pages_of_twenty_from_the_first(path: str) -> None:
    wanted = VIDEOS if path == "/videoTaskHistory" else IMAGES
    assert asked(path) == List(limit=20, skip=0, operations=wanted)
    assert asked(path, {"page": 3, "pageSize": 7}) == List(limit=7, skip=14, operations=wanted)
    assert asked(path, form=[("page", "3"), ("pageSize", "7")]) == asked(path, {"page": "3", "pageSize": "7"})


@pytest.mark.parametrize("path", PAGES)
def test_zero_and_nothing_are_the_default_as_in_go(path: str) -> None:
    for body in ({"page": 0, "pageSize": 0}, {"page": None, "pageSize": ""}, {"page": 1}):
        assert asked(path, body) == asked(path)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"page": -1}, "page"),
        ({"page": "second"}, "page"),
        ({"page": 10**30}, "page"),
        ({"pageSize": 101}, "pageSize"),
        ({"pageSize": 2.5}, "pageSize"),
        ({"pageSize": [20]}, "pageSize"),
    ],
)
def test_a_page_that_cannot_be_is_a_parameter_error_that_names_the_field(
    path: str, body: dict[str, Any], field: str
) -> None:
    endpoint, wire = ask(dialect, "POST", path, body=body)
    with pytest.raises(TaskError) as caught:
        endpoint.decode(wire)
    refused = json.loads(dialect.encode_error(caught.value, wire).body)
    assert (refused["code"], caught.value.param) == (800, field)
    assert f"'{field}'" in refused["msg"]


def test_the_album_lists_pictures_or_videos_as_it_is_asked_or_set() -> None:
    videos = configure({"album": "video"})
    assert asked("/userAlbum", {"type": 1}).operations == VIDEOS == asked("/userAlbum", to=videos).operations
    assert asked("/userAlbum", form=[("type", "2")], to=videos).operations == IMAGES
    with pytest.raises(TaskError, match="type"):
        asked("/userAlbum", {"type": 3})
    assert "videoTemp" not in rows("/userAlbum", task(operation=VIDEOS[0]), to=videos)[0]
    assert "imageTemp" in rows("/userAlbum", task(), body={"type": 2}, to=videos)[0]


# ---- rows


def test_a_picture_without_a_template_is_covered_by_what_the_caller_handed_in() -> None:
    (row,) = rows("/newImageHistory", task(918))
    assert path_of(row.pop("covering")) == "/faceWap/images/file_1.jpg"
    assert path_of(row.pop("origin")) == "/faceWap/original/p918_0.png"
    assert row == {
        "id": 91800,
        "taskId": 918,
        "styleId": 0,
        "promptId": "p918",
        "reason": "",
        "state": 30,
        "createdAt": CREATED,
        "imageTemp": None,
    }


def test_the_link_to_an_uploaded_picture_is_one_that_can_be_followed() -> None:
    link = urlsplit(rows("/newImageHistory", task())[0]["covering"])
    endpoint, wire = ask(dialect, "GET", f"{link.path}?{link.query}")
    command = endpoint.decode(wire)
    assert endpoint.public
    assert isinstance(command, DownloadFile)
    assert (command.file_id, command.signature.path) == ("file_1", link.path)


def test_a_picture_with_a_template_is_covered_by_its_sample() -> None:
    (row,) = rows("/newImageHistory", task(extra={"styleId": 2}, price=5), to=OWN)
    assert (row["styleId"], row["covering"]) == (2, "https://example.com/painted.png")
    template = row["imageTemp"]
    assert (template["id"], template["title"], template["price"], template["apiType"]) == (2, "Watercolor", 5, 1)
    assert template["covering"]["after"] == row["covering"]


def test_a_part_shows_its_template_with_what_it_cost_itself() -> None:
    swap = {"id": 40, "title": "Beach", "task_type": 3, "images": ["https://example.com/1.png"] * 3}
    own = configure({"groups": [{"id": 2, "title": "Mine", "templates": [swap]}]})
    parts = tuple(task(seq, extra={"styleId": 40}, price=3) for seq in (7, 8, 9))
    found = rows("/newImageHistory", combine(task(6, State.QUEUED, extra={"styleId": 40}), parts), to=own)
    assert [(row["styleId"], row["imageTemp"]["price"]) for row in found] == [(40, 3)] * 3


def test_a_template_that_is_no_longer_on_offer_is_none() -> None:
    for number in (99, "2", None):
        (row,) = rows("/newImageHistory", task(extra={"styleId": number}))
        assert (row["styleId"], row["imageTemp"]) == (0, None)


def test_a_picture_made_of_words_alone_is_covered_by_itself() -> None:
    (row,) = rows("/newImageHistory", task(operation=Operation.IMAGE_GENERATE, inputs=()))
    assert path_of(row["covering"]) == "/faceWap/thumb/p7_0.webp"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
def test_failed_rows_keep_the_zero_values_of_the_vendors_server(path: str, state: State) -> None:
    (row,) = rows(path, task(5, state, failure=Failure(Code.ENGINE_FAILED, "No face was found.")))
    assert (row["id"], row["covering"], row["origin"], row["createdAt"]) == (0, "", "", -62135596800)
    assert (row["state"], row["reason"], row["promptId"]) == (2, "No face was found.", "p5")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("state", "number"), [(State.QUEUED, 10), (State.RUNNING, 20)])
def test_an_unfinished_task_has_the_number_of_its_coming_result(path: str, state: State, number: int) -> None:
    (row,) = rows(path, task(5, state, failure=Failure(Code.WORKER_LOST, "The worker was lost.")))
    assert (row["id"], row["origin"], row["state"], row["reason"]) == (500, "", number, "")
    assert row["createdAt"] == CREATED
    assert path_of(row["covering"]) == "/faceWap/images/file_1.jpg"


def test_each_result_of_each_part_is_a_row_and_the_numbers_fall() -> None:
    parts = (task(7), task(8, State.FAILED), task(9, artifacts=(artifact(), artifact(1))))
    found = rows("/newImageHistory", task(12), combine(task(6, State.QUEUED), parts), task(5))
    assert [(row["promptId"], row["id"]) for row in found] == [
        *[("p12", 1200), ("p9", 901), ("p9", 900), ("p8", 0), ("p7", 700), ("p5", 500)],
    ]


def test_a_video_is_covered_by_its_own_picture() -> None:
    (row,) = rows("/videoTaskHistory", task(153, operation=Operation.VIDEO_GENERATE))
    assert list(row) == [
        *("id", "styleId", "taskId", "promptId", "covering", "origin", "reason", "state", "createdAt", "videoTemp"),
    ]
    assert (row["taskId"], row["styleId"], row["videoTemp"]) == ("153", 0, None)
    assert (path_of(row["covering"]), path_of(row["origin"])) == (
        *("/faceWap/thumb/p153_0.webp", "/faceWap/original/p153_0.mp4"),
    )


def test_a_video_is_never_covered_by_a_clip() -> None:
    bare = (artifact(media_type="video/mp4", thumbnail=False),)
    swap = task(operation=Operation.VIDEO_FACE_SWAP, artifacts=bare, inputs=(CLIP, PICTURE))
    assert path_of(rows("/videoTaskHistory", swap)[0]["covering"]) == "/faceWap/images/file_1.jpg"
    clip_alone = task(operation=Operation.VIDEO_FILTER, artifacts=bare, inputs=(CLIP,))
    assert rows("/videoTaskHistory", clip_alone)[0]["covering"] == ""


def test_a_video_names_its_template() -> None:
    (row,) = rows("/videoTaskHistory", task(operation=Operation.VIDEO_GENERATE, extra={"styleId": 30}), to=OWN)
    assert row["videoTemp"] == {
        "id": 30,
        "title": "Waves",
        "thumb": "https://example.com/waves.webp",
        "pid": 2,
        "gid": 2,
        "covering": "https://example.com/waves.webp",
        "video": "https://example.com/waves.mp4",
        "favoriteCount": 0,
        "sort": 4,
        "isHome": 1,
        "prompt": "waves",
        "author": "the studio",
        "createdAt": 1753913160,
        "updatedAt": 1761181034,
    }


# ---- /recentList


def test_templates_are_listed_once_the_latest_first_with_their_uses() -> None:
    used = [task(extra={"styleId": number}) for number in (3, 1, 3, 99)]
    found = rows("/recentList", *used, task(), body={"type": 2})
    assert [(row["id"], row["title"], row["favoriteCount"]) for row in found] == [
        *[(3, "Oil painting", 2), (1, "Cartoon", 1)],
    ]
    assert "thumb" not in found[0]
    assert "video" not in found[0]


def test_templates_for_videos_have_a_thumb_and_a_video() -> None:
    used = task(operation=Operation.VIDEO_GENERATE, extra={"styleId": 30})
    (row,) = rows("/recentList", used, to=OWN, body={"type": 1})
    assert (row["thumb"], row["video"]) == ("https://example.com/waves.webp", "https://example.com/waves.mp4")
    assert row["createdAt"] == 1753913160


def test_recent_templates_come_from_the_newest_hundred_tasks_of_the_kind() -> None:
    assert asked("/recentList", {"type": 1}) == List(limit=100, operations=VIDEOS)
    assert asked("/recentList", form=[("type", "2"), ("appId", "a")]) == List(limit=100, operations=IMAGES)
    assert asked("/recentList") == asked("/recentList", {"type": 2})
    with pytest.raises(TaskError, match="type"):
        asked("/recentList", {"type": 3})
