"""The muyuhan dialect: what submits and uploads mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from darkroom.core.commands import Command, Inline, KeepFile, Link, Submit, Upload
from darkroom.core.errors import TaskError
from darkroom.core.task import File, Operation
from darkroom.dialects import Dialect, FormFile
from darkroom.dialects.muyuhan import configure, dialect
from darkroom.testing.exchange import ask

FACE, TARGET, OTHER = Upload("face"), Upload("target"), Upload("other")


def form_file(file_id: str, field: str = "images") -> FormFile:
    return FormFile(field, f"{file_id}.png", File(file_id, f"in/{file_id}", "image/png", 10, 4, 4))


def decode(method: str, target: str, **request: Any) -> Command:
    endpoint, wire = ask(dialect, method, target, **request)
    return endpoint.decode(wire)


def submit(
    body: Any = None, *, form: Sequence[tuple[str, str]] = (), files: Sequence[FormFile] = (), to: Dialect = dialect
) -> Submit:
    endpoint, wire = ask(to, "POST", "/submitTask", body=body, form=form, files=files)
    command = endpoint.decode(wire)
    assert isinstance(command, Submit)
    return command


def refusal(method: str, target: str, **request: Any) -> dict[str, Any]:
    endpoint, wire = ask(dialect, method, target, **request)
    with pytest.raises(TaskError) as caught:
        endpoint.decode(wire)
    response = dialect.encode_error(caught.value, wire)
    assert response.status == 200
    answer: dict[str, Any] = json.loads(response.body)
    return answer


def refused_body(body: dict[str, Any]) -> dict[str, Any]:
    answer = refusal("POST", "/submitTask", body=body)
    assert list(answer) == ["code", "msg", "data"]
    assert answer["data"] is None
    return answer


@pytest.mark.parametrize(
    ("task_type", "operation", "pictures"),
    [
        (3, Operation.IMAGE_FACE_SWAP, ["face", "target"]),
        (4, Operation.IMAGE_ENHANCE, ["face"]),
        (5, Operation.IMAGE_FILTER, ["face"]),
        (6, Operation.IMAGE_UPSCALE, ["face"]),
        (7, Operation.VIDEO_GENERATE, ["face"]),
        (7, Operation.VIDEO_FACE_SWAP, ["face", "target"]),
    ],
)
def test_each_task_type_is_an_operation(task_type: int, operation: Operation, pictures: list[str]) -> None:
    command = submit({"taskType": task_type, "fileName": pictures})
    assert command.operation is operation
    assert command.inputs == tuple(Upload(name) for name in pictures)
    assert command.parts == ()
    assert command.extra == {"taskType": task_type}


@pytest.mark.parametrize(("task_type", "operation"), [(3, Operation.IMAGE_FACE_SWAP), (7, Operation.VIDEO_FACE_SWAP)])
def test_a_face_goes_into_each_of_several_targets(task_type: int, operation: Operation) -> None:
    command = submit({"taskType": task_type, "fileName": "face,target,other"})
    assert command.operation is operation
    assert command.parts == ((FACE, TARGET), (FACE, OTHER))
    assert command.inputs == ()


@pytest.mark.parametrize("task_type", [4, 5, 6])
def test_several_pictures_make_one_part_each(task_type: int) -> None:
    command = submit({"taskType": task_type, "fileName": ["face", "target"]})
    assert command.parts == ((FACE,), (TARGET,))
    assert command.inputs == ()


def test_json_urlencoded_and_multipart_mean_the_same() -> None:
    as_json = submit({"taskType": 5, "styleId": 2, "seed": 9, "fileName": ["face"], "appId": "1", "udid": "u"})
    fields = [("taskType", "5"), ("styleId", "2"), ("seed", "9"), ("appId", "1"), ("udid", "u")]
    assert submit(form=[*fields, ("fileName", "face")]) == as_json
    assert submit(form=fields, files=[form_file("face")]) == as_json
    assert as_json.params == {"style": "watercolor", "seed": 9}


def test_a_form_keeps_its_text_body_out_of_the_json_parser() -> None:
    command = submit(b"taskType=4&fileName=face", form=[("taskType", "4"), ("fileName", "face")])
    assert command.inputs == (FACE,)


@pytest.mark.parametrize("field", ["images", "images[]", "image", "file"])
def test_files_are_taken_from_every_usual_field(field: str) -> None:
    assert submit(form=[("taskType", "4")], files=[form_file("face", field)]).inputs == (FACE,)


def test_files_come_before_links_and_links_before_names() -> None:
    form = [("taskType", "4"), ("fileName", "other"), ("images", "https://example.com/a,b.png")]
    command = submit(form=form, files=[form_file("face"), form_file("target")])
    assert command.parts == ((FACE,), (TARGET,), (Link("https://example.com/a,b.png"),), (OTHER,))


def test_a_file_name_may_be_repeated_in_a_form() -> None:
    form = [("taskType", "3"), ("fileName", "face"), ("fileName[]", "target, other,")]
    assert submit(form=form).parts == ((FACE, TARGET), (FACE, OTHER))


def test_a_link_with_a_comma_is_one_picture() -> None:
    link = "https://example.com/a,b.png"
    assert submit({"taskType": 4, "fileName": link}).inputs == (Link(link),)


def test_pictures_may_come_as_base64() -> None:
    assert submit({"taskType": 4, "images": "data:image/png;base64,AAAA"}).inputs == (
        Inline("data:image/png;base64,AAAA"),
    )


def test_a_style_may_be_named() -> None:
    assert submit({"taskType": 5, "styleId": "noir", "fileName": "face"}).params == {"style": "noir"}


TEMPLATES = [
    {
        "id": 20,
        "title": "On the beach",
        "task_type": 3,
        "images": ["https://example.com/1.png", "https://example.com/2.png"],
    },
    {"id": 21, "title": "Autumn", "prompt": "warm autumn light"},
    {"id": 22, "title": "In this coat", "prompt": "wears this coat", "images": ["https://example.com/coat.png"]},
    {"id": 23, "title": "Waves", "task_type": 7, "prompt": "slow waves"},
    {"id": 24, "title": "Dance", "task_type": 7, "images": ["https://example.com/dance.mp4"]},
]
OWN = configure({"groups": [{"id": 2, "title": "Mine", "templates": TEMPLATES}], "models": {"image.edit": "my-edit"}})
BEACH = (Link("https://example.com/1.png"), Link("https://example.com/2.png"))
COAT, DANCE = Link("https://example.com/coat.png"), Link("https://example.com/dance.mp4")


def test_a_filter_remembers_its_template_by_number_and_by_name() -> None:
    for style in (13, "13", "noir"):
        command = submit({"taskType": 5, "styleId": style, "fileName": "face"})
        assert (command.params, command.extra) == ({"style": "noir"}, {"taskType": 5, "styleId": 13})


def test_a_face_goes_into_the_pictures_of_a_template() -> None:
    command = submit({"taskType": 3, "styleId": 20, "fileName": "face"}, to=OWN)
    assert command.operation is Operation.IMAGE_FACE_SWAP
    assert command.parts == tuple((FACE, picture) for picture in BEACH)
    assert command.extra == {"taskType": 3, "styleId": 20}


def test_own_targets_come_before_those_of_a_template() -> None:
    command = submit({"taskType": 3, "styleId": 20, "fileName": "face,target"}, to=OWN)
    assert command.parts == ((FACE, TARGET), *((FACE, picture) for picture in BEACH))


def test_a_template_with_words_is_an_edit_by_the_model_of_the_settings() -> None:
    command = submit({"taskType": 5, "styleId": 21, "fileName": "face"}, to=OWN)
    assert (command.operation, command.model) == (Operation.IMAGE_EDIT, "my-edit")
    assert (command.inputs, command.params) == ((FACE,), {"prompt": "warm autumn light"})


def test_the_pictures_of_an_edit_come_after_the_callers() -> None:
    command = submit({"taskType": 5, "styleId": 22, "fileName": "face,target"}, to=OWN)
    assert command.parts == ((FACE, COAT), (TARGET, COAT))
    assert command.params == {"prompt": "wears this coat"}


def test_own_words_take_the_place_of_a_templates() -> None:
    body = {"taskType": 5, "styleId": 21, "fileName": "face", "content": "snow"}
    assert submit(body, to=OWN).params == {"prompt": "snow"}


def test_a_template_may_be_the_words_of_a_video() -> None:
    command = submit({"taskType": 7, "styleId": 23}, to=OWN)
    assert (command.operation, command.inputs) == (Operation.VIDEO_GENERATE, ())
    assert command.params == {"prompt": "slow waves"}


def test_a_face_goes_into_the_clip_of_a_template() -> None:
    command = submit({"taskType": 7, "styleId": 24, "fileName": "face"}, to=OWN)
    assert (command.operation, command.inputs) == (Operation.VIDEO_FACE_SWAP, (FACE, DANCE))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"taskType": 3, "styleId": 21, "fileName": "face"}, "is for taskType 5, not 3"),
        ({"taskType": 5, "styleId": 20, "fileName": "face"}, "is for taskType 3, not 5"),
        ({"taskType": 7, "styleId": 13, "content": "waves"}, "is for taskType 5, not 7"),
        ({"taskType": 3, "styleId": 20}, "two pictures"),
        ({"taskType": 7, "styleId": 24}, "two pictures"),
        ({"taskType": 7, "styleId": "noir", "fileName": "face"}, "is for taskType 5, not 7"),
        ({"taskType": 7, "styleId": "unheard of", "fileName": "face"}, "number of a template"),
        ({"taskType": 5, "styleId": 99, "fileName": "face"}, "no styleId 99"),
        ({"taskType": 5, "styleId": -1, "fileName": "face"}, "no styleId -1"),
    ],
)
def test_a_template_is_for_one_kind_of_task(body: dict[str, Any], says: str) -> None:
    endpoint, wire = ask(OWN, "POST", "/submitTask", body=body)
    with pytest.raises(TaskError, match=says) as caught:
        endpoint.decode(wire)
    assert json.loads(OWN.encode_error(caught.value, wire).body)["code"] == 800


@pytest.mark.parametrize("ratio", range(1, 7))
def test_the_sides_of_a_video_are_even(ratio: int) -> None:
    size = submit({"taskType": 7, "content": "waves", "aspectRatio": ratio}).params["size"]
    assert [int(side) % 2 for side in size.split("x")] == [0, 0]


@pytest.mark.parametrize("style", [None, 0, "", "0"])
def test_without_a_style_the_model_chooses(style: object) -> None:
    assert submit({"taskType": 5, "styleId": style, "fileName": "face"}).params == {}


def test_every_style_number_has_a_name_of_its_own() -> None:
    names = [submit({"taskType": 5, "styleId": i, "fileName": "face"}).params["style"] for i in range(1, 15)]
    assert (names[0], names[5], names[13]) == ("cartoon", "halftone", "comic")
    assert len(set(names)) == 14


def test_upscaling_is_twofold_unless_said_otherwise() -> None:
    assert submit({"taskType": 6, "fileName": "face"}).params == {"scale": 2}
    assert submit({"taskType": "6", "scale": "4", "fileName": "face"}).params == {"scale": 4}


def test_a_video_takes_a_prompt_and_a_ratio() -> None:
    by_number = submit({"taskType": 7, "content": "waves", "aspectRatio": 2})
    by_words = submit({"taskType": 7, "content": "waves", "aspectRatio": "9:16"})
    assert by_number == by_words
    assert by_number.inputs == ()
    assert by_number.params == {"prompt": "waves", "size": "558x992"}


def test_a_seed_below_zero_means_any() -> None:
    assert submit({"taskType": 4, "fileName": "face", "seed": -1}).params == {}


def test_content_and_ratio_do_not_disturb_other_kinds() -> None:
    command = submit({"taskType": 4, "fileName": "face", "content": "x", "aspectRatio": 99, "styleId": 99})
    assert command.params == {}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"fileName": "face"}, "taskType"),
        ({"taskType": 2, "fileName": "face"}, "taskType"),
        ({"taskType": 8, "fileName": "face"}, "taskType"),
        ({"taskType": "five", "fileName": "face"}, "taskType"),
        ({"taskType": [5], "fileName": "face"}, "task"),
        ({"taskType": 3, "fileName": "face"}, "two pictures"),
        ({"taskType": 4}, "images"),
        ({"taskType": 7}, "content"),
        ({"taskType": 5, "fileName": "face", "styleId": 15}, "/imageGroupList"),
        ({"taskType": 5, "fileName": "face", "styleId": [1, 2]}, "Send one styleId"),
        ({"taskType": 5, "fileName": ["face", "target"], "styleId": "1,2"}, "Send one styleId"),
        ({"taskType": 6, "fileName": "face", "scale": "2.5"}, "scale"),
        ({"taskType": 7, "content": "waves", "aspectRatio": "5:1"}, "aspectRatio"),
        ({"taskType": 4, "fileName": 1234567}, "/picUpload"),
        ({"taskType": 4, "fileName": [f"f{i}" for i in range(17)]}, "at most 16"),
        ({"taskType": 4, "fileName": "face", "seed": 10**30}, "seed"),
    ],
)
def test_a_wrong_body_is_a_parameter_error_that_says_what_to_send(body: dict[str, Any], says: str) -> None:
    answer = refused_body(body)
    assert answer["code"] == 800
    assert says in answer["msg"]


def test_an_empty_or_broken_body_is_a_parameter_error() -> None:
    assert refusal("POST", "/submitTask", body=b"")["code"] == 800
    assert refusal("POST", "/submitTask", body=b"{")["code"] == 800


def test_a_file_in_an_unknown_field_is_refused_and_not_lost() -> None:
    files = [form_file("face"), form_file("target", "mask")]
    answer = refusal("POST", "/submitTask", form=[("taskType", "4")], files=files)
    assert answer["code"] == 800
    assert "'mask'" in answer["msg"]


def test_an_upload_is_kept_and_its_answer_names_it() -> None:
    fields = [("appId", "1"), ("udid", "u"), ("taskType", "8")]
    endpoint, wire = ask(dialect, "POST", "/picUpload", form=fields, files=[form_file("face")])
    assert endpoint.uploads
    assert endpoint.decode(wire) == KeepFile("face")
    answers = [json.loads(endpoint.encode(form_file(name).file, wire).body) for name in ("face", "face", "target")]
    assert answers[0] == answers[1]
    data = answers[0]["data"]
    assert (answers[0]["code"], data["customTaskId"], data["fileName"], data["state"]) == (200, "face", "face", 30)
    assert 0 < data["id"] < 2**31
    assert data["id"] != answers[2]["data"]["id"]


@pytest.mark.parametrize("files", [[], [form_file("a"), form_file("b")], [form_file("a", "mask")]])
def test_an_upload_is_one_picture(files: list[FormFile]) -> None:
    assert refusal("POST", "/picUpload", files=files)["code"] == 800
