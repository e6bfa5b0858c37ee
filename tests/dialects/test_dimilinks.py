"""The Dimilinks dialect: what its requests for pictures mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from darkroom.core.commands import Command, Inline, Link, Submit, Upload
from darkroom.core.errors import TaskError
from darkroom.core.task import File, Operation
from darkroom.dialects import FormFile
from darkroom.dialects.dimilinks import dialect
from darkroom.testing.dialects import ask

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
SEVEN_MINUTES, EIGHT_MINUTES = 420, 480

LANDSCAPES = {
    "1:1": ("1024x1024", "2048x2048", "2880x2880"),
    "auto": ("1024x1024", "2048x2048", "2880x2880"),
    "3:2": ("1536x1024", "2016x1344", "3504x2336"),
    "4:3": ("1536x1152", "2048x1536", "3264x2448"),
    "5:4": ("1600x1280", "2000x1600", "3200x2560"),
    "16:9": ("1536x864", "2048x1152", "3840x2160"),
    "2:1": ("1536x768", "2048x1024", "3840x1920"),
    "21:9": ("1568x672", "2016x864", "3808x1632"),
}
TURNED = {
    ":".join(reversed(ratio.split(":"))): tuple("x".join(reversed(size.split("x"))) for size in sizes)
    for ratio, sizes in LANDSCAPES.items()
}
PRINTED = [
    pytest.param(ratio, resolution, size, id=f"{ratio} {resolution}")
    for ratio, sizes in (LANDSCAPES | TURNED).items()
    for resolution, size in zip(("1k", "2k", "4k"), sizes, strict=True)
]

ASYNC_TARGETS = [
    *(f"async={word}" for word in ("1", "true", "yes", "on", "TRUE")),
    *(f"wait_for_result={word}" for word in ("0", "false", "no", "off")),
]
APIMART_TARGETS = [
    *(f"{name}=apimart" for name in ("compat", "response_schema", "schema", "format", "apimart")),
    *(f"apimart={word}" for word in ("1", "true", "yes", "on")),
    *("compat=API-Mart", "format=apimart-compatible"),
]
APIMART_HEADERS = ["X-Response-Format", "X-API-Format", "X-Compat-Mode"]


def submit(body: Any = None, query: str = "", headers: dict[str, str] | None = None, **fields: Any) -> Submit:
    body = {"prompt": "a lighthouse", **fields} if body is None else body
    endpoint, request = ask(dialect, "POST", f"{GENERATIONS}?{query}", body=body, headers=headers)
    command = endpoint.decode(request)
    assert isinstance(command, Submit)
    return command


def refused(body: Any = None, **fields: Any) -> tuple[int, dict[str, Any]]:
    """What a generation that must be refused answers."""
    body = {"prompt": "a lighthouse", **fields} if body is None else body
    endpoint, request = ask(dialect, "POST", GENERATIONS, body=body)
    response = dialect.encode_error(refusal(lambda: endpoint.decode(request)), request)
    return response.status, json.loads(response.body)["error"]


def refusal(decode: Callable[[], Command]) -> TaskError:
    """Why a request is refused: at once, or once its model is known to exist."""
    try:
        command = decode()
    except TaskError as error:
        return error
    assert isinstance(command, Submit)
    assert command.refusal is not None
    return command.refusal


def picture(field: str, name: str = "photo.png", number: int = 1, size: int = 10) -> FormFile:
    return FormFile(field, name, File(f"file-{number}", f"inputs/{number}", "image/png", size, 64, 48))


def submit_edit(*files: FormFile, query: str = "", headers: dict[str, str] | None = None, **fields: str) -> Submit:
    form = tuple({"prompt": "make it night", **fields}.items())
    endpoint, request = ask(dialect, "POST", f"{EDITS}?{query}", form=form, files=files, headers=headers)
    command = endpoint.decode(request)
    assert isinstance(command, Submit)
    return command


# Requests


@pytest.mark.parametrize(("ratio", "resolution", "size"), PRINTED)
def test_a_ratio_and_a_tier_mean_the_vendors_pixels(ratio: str, resolution: str, size: str) -> None:
    assert submit(size=ratio, resolution=resolution).params["size"] == size


@pytest.mark.parametrize(("resolution", "area"), [("1k", 2048 * 2048), ("2k", 2048 * 2048), ("4k", 3840 * 2160)])
@pytest.mark.parametrize("ratio", [(1000, 777), (196, 221)])
def test_a_ratio_without_exact_pixels_is_met_nearly(ratio: tuple[int, int], resolution: str, area: int) -> None:
    size = submit(size=f"{ratio[0]}:{ratio[1]}", resolution=resolution).params["size"]
    width, height = map(int, size.split("x"))
    assert width % 16 == height % 16 == 0
    assert width / height == pytest.approx(ratio[0] / ratio[1], rel=0.03)
    assert width * height <= area


@pytest.mark.parametrize(("size", "kept"), [("1000x777", "1000x777"), ("8192x4096", "4096x2048"), ("8x20", "16x40")])
def test_explicit_pixels_are_kept_within_bounds(size: str, kept: str) -> None:
    assert submit(size=size, resolution="4k").params["size"] == kept


@pytest.mark.parametrize("size", ["big", "0x0", "16:", "1:1:1", "-1x5", "1024x", "٣:٤"])
def test_a_size_that_means_nothing_is_refused(size: str) -> None:
    status, error = refused(size=size)
    assert (status, error["code"]) == (400, "invalid_request_error")
    assert "'size'" in error["message"]


@pytest.mark.parametrize("name", ["resolution", "image_size", "scale", "upscale", "quality"])
def test_every_alias_of_the_tier_counts(name: str) -> None:
    command = submit(**{name: "2k"})
    assert command.params["size"] == "2048x2048"
    assert command.extra["resolution"] == "2k"


@pytest.mark.parametrize(
    ("word", "resolution"),
    [
        *((word, "4k") for word in ("4K", "4_k ultra", "U H D", "2160p")),
        *((word, "2k") for word in ("2-K", "qhd1440P")),
        *((word, "1k") for word in ("1k", "1024p", "1024", "huge", "")),
    ],
)
def test_tiers_are_read_in_the_vendors_loose_spellings(word: str, resolution: str) -> None:
    assert submit(resolution=word).extra["resolution"] == resolution


def test_the_first_alias_that_names_a_tier_wins() -> None:
    assert submit(quality="4k", scale="1k", image_size="high").extra["resolution"] == "1k"


@pytest.mark.parametrize(("n", "count"), [(None, 1), (-3, 1), (0, 1), (1, 1), (4, 4), (5, 4), (10**12, 4)])
def test_n_is_clamped_and_never_an_error(n: int | None, count: int) -> None:
    assert submit(n=n).count == count


@pytest.mark.parametrize("fields", [{"n": "2"}, {"n": True}, {"size": 1024}, {"image_urls": 5}, {"image_url": [1]}])
def test_a_wrong_json_type_is_refused(fields: dict[str, Any]) -> None:
    status, error = refused(**fields)
    assert (status, error["type"], error["code"]) == (400, "invalid_request_error", "invalid_request_error")


@pytest.mark.parametrize("body", [{}, {"prompt": None}, {"prompt": " \n"}])
def test_a_generation_needs_a_prompt(body: dict[str, Any]) -> None:
    assert refused(body) == (
        400,
        {"message": "prompt 不能为空", "type": "invalid_request_error", "code": "invalid_request_error"},
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    error = refused(body)[1]
    assert error["code"] == "invalid_request_error"
    assert error["message"].startswith("请求参数错误:")


def test_a_plain_generation_waits_for_its_result() -> None:
    command = submit()
    assert command.operation is Operation.IMAGE_GENERATE
    assert command.model == "gpt-image-2"
    assert command.wait == SEVEN_MINUTES
    assert command.params == {"prompt": "a lighthouse", "size": "1024x1024"}


def test_knobs_that_change_the_file_are_passed_on_and_the_others_dropped() -> None:
    command = submit(
        model="nano-banana-pro",
        output_format="JPG",
        output_compression=80,
        seed=7,
        quality="high",
        style="vivid",
        background="opaque",
        moderation="low",
        user="caller",
        unheard_of={"x": 1},
    )
    assert command.model == "nano-banana-pro"
    sent = {"prompt": "a lighthouse", "size": "1024x1024", "format": "jpeg", "quality": 80, "seed": 7}
    assert command.params == sent


@pytest.mark.parametrize("fields", [{"output_format": "bmp"}, {"output_compression": 101}])
def test_a_delivery_that_cannot_be_had_is_refused(fields: dict[str, Any]) -> None:
    status, error = refused(**fields)
    assert (status, error["code"]) == (400, "invalid_request_error")
    assert next(iter(fields)) in error["message"]


ALIASES = ["reference_images", "images", "image", "image_url", "image_urls", "input_image", "input_images"]
PICTURE = "https://example.com/a.png"


@pytest.mark.parametrize("name", ALIASES)
@pytest.mark.parametrize("shape", [PICTURE, [PICTURE], {"url": PICTURE}, [{"url": PICTURE}]])
def test_references_come_by_every_name_in_every_shape(name: str, shape: Any) -> None:
    command = submit(**{name: shape})
    assert command.operation is Operation.IMAGE_EDIT
    assert command.inputs == (Link(PICTURE),)


def test_references_are_united_in_the_vendors_order_without_duplicates() -> None:
    urls = {name: f"https://example.com/{number}.png" for number, name in enumerate(ALIASES)}
    command = submit(**dict(reversed(urls.items())) | {"images": [urls["images"], "", " " + urls["image"]]})
    assert command.inputs == tuple(Link(url) for url in urls.values())


def test_references_may_be_data_urls_and_base64() -> None:
    data_url = "data:image/png;base64,AAAA"
    command = submit(image_urls=[data_url, "iVBORw0K", "_-8"])
    assert command.inputs == (Inline(data_url), Inline("iVBORw0K"), Inline("/+8="))


@pytest.mark.parametrize("number", [9, 10])
def test_more_than_nine_references_are_refused(number: int) -> None:
    urls = [f"https://example.com/{index}.png" for index in range(number)]
    if number == 9:
        assert len(submit(image_urls=urls).inputs) == 9
    else:
        assert refused(image_urls=urls)[1]["code"] == "invalid_request_error"


def test_an_edit_keeps_the_size_of_its_picture_unless_another_is_asked() -> None:
    assert "size" not in submit(image=PICTURE, size="auto").params
    assert submit(image=PICTURE, resolution="2k").params["size"] == "2048x2048"
    assert submit(image=PICTURE, size="16:9").params["size"] == "1536x864"


def test_a_mask_is_the_last_input_and_its_number_goes_along() -> None:
    command = submit(mask_url="https://example.com/mask.png", images=[PICTURE, "AAAA"])
    assert command.inputs == (Link(PICTURE), Inline("AAAA"), Link("https://example.com/mask.png"))
    assert command.params["mask"] == 2
    assert "mask" not in submit(mask_url=" ", images=[PICTURE]).params


def test_a_mask_without_a_picture_is_refused() -> None:
    status, error = refused(mask_url=PICTURE)
    assert (status, error["code"]) == (400, "invalid_request_error")
    assert "'mask_url' needs" in error["message"]


def test_a_mask_counts_as_one_more_reference() -> None:
    urls = [f"https://example.com/{index}.png" for index in range(9)]
    assert len(submit(image_urls=urls[:8], mask_url=PICTURE).inputs) == 9
    assert refused(image_urls=urls, mask_url=PICTURE)[1]["code"] == "invalid_request_error"


def test_pictures_themselves_are_answered_to_who_waits_for_them() -> None:
    assert submit(response_format="b64_json").embed
    assert not submit(response_format="url").embed
    assert not submit(response_format="b64_json", query="async=true").embed
    assert submit_edit(picture("image"), response_format="b64_json").embed
    assert not submit_edit(picture("image"), response_format="b64_json", query="compat=apimart").embed


# The order of refusals


@pytest.mark.parametrize("later", [{"image_urls": ["a"] * 3 + [str(n) for n in range(9)]}, {"mask_url": PICTURE}])
def test_whether_the_model_exists_is_looked_at_before_the_rest(later: dict[str, Any]) -> None:
    command = submit(model="dall-e", **later)
    assert command.model == "dall-e"
    assert command.refusal is not None


def test_the_prompt_is_looked_at_before_the_model() -> None:
    assert refused({"prompt": " ", "model": "minimax-h3", "size": "big"})[1]["message"] == "prompt 不能为空"


@pytest.mark.parametrize("model", ["minimax-h3", "grok-imagine-video"])
def test_a_model_for_videos_makes_no_pictures(model: str) -> None:
    status, error = refused(model=model, size="big")
    assert (status, error["type"], error["code"]) == (400, "invalid_request_error", "model_type_mismatch")
    assert "/v1/videos" in error["message"]


# Answered now or when done


@pytest.mark.parametrize("query", ASYNC_TARGETS + APIMART_TARGETS)
def test_the_query_switches_to_an_answer_at_once(query: str) -> None:
    assert submit(query=query, wait_for_result=True).wait == 0
    assert submit_edit(picture("image"), query=query).wait == 0


@pytest.mark.parametrize(
    "headers", [{"Prefer": "handling=lenient, Respond-Async"}, *({name: "api_mart"} for name in APIMART_HEADERS)]
)
def test_headers_switch_to_an_answer_at_once(headers: dict[str, str]) -> None:
    assert submit(headers=headers, wait_for_result=True).wait == 0
    assert submit_edit(picture("image"), headers=headers).wait == 0


def test_the_body_switches_to_an_answer_at_once() -> None:
    assert submit(wait_for_result=False).wait == 0


@pytest.mark.parametrize("query", ["async=0", "async=", "wait_for_result=true", "apimart=0", "format=png"])
def test_other_words_switch_nothing(query: str) -> None:
    assert submit(query=query).wait == SEVEN_MINUTES
    assert submit(query=query, wait_for_result=False).wait == 0


# Edits


@pytest.mark.parametrize("field", ["image", "image[]", "images", "images[]", "image_2", "image_front"])
def test_edits_take_pictures_by_every_field_name(field: str) -> None:
    command = submit_edit(picture(field), n="2", size="2:1", output_format="webp", model="my-model")
    assert command.operation is Operation.IMAGE_EDIT
    assert command.inputs == (Upload("file-1"),)
    assert (command.count, command.model, command.wait) == (2, "my-model", EIGHT_MINUTES)
    assert command.params == {"prompt": "make it night", "size": "1536x768", "format": "webp"}


@pytest.mark.parametrize(("n", "count"), [("", 1), ("many", 1), ("0", 1), ("3", 3), ("99", 4), ("9" * 5000, 1)])
def test_edits_take_an_n_that_is_no_number_for_one(n: str, count: int) -> None:
    assert submit_edit(picture("image"), n=n).count == count


def test_the_same_file_twice_counts_once() -> None:
    files = (picture("image[]"), picture("images", number=2), picture("image", size=11, number=3))
    assert submit_edit(*files).inputs == (Upload("file-1"), Upload("file-3"))


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ((), "picture"),
        ((picture("photo"),), "picture"),
        ((picture("mask", "mask.png"),), "'mask' needs"),
        (tuple(picture("image[]", f"{number}.png", number) for number in range(10)), "At most 9"),
    ],
)
def test_edits_without_usable_pictures_are_refused(files: tuple[FormFile, ...], word: str) -> None:
    assert word in refusal(lambda: submit_edit(*files)).message


def test_the_mask_of_an_edit_is_its_last_input() -> None:
    command = submit_edit(
        picture("mask", "mask.png", 9), picture("image[]", "a.png", 1), picture("image[]", "b.png", 2)
    )
    assert command.inputs == (Upload("file-1"), Upload("file-2"), Upload("file-9"))
    assert command.params["mask"] == 2


@pytest.mark.parametrize(("text", "quality"), [("80", 80), ("0", 1), ("much", None)])
def test_the_numbers_of_a_form_are_read_where_they_are_numbers(text: str, quality: int | None) -> None:
    command = submit_edit(picture("image"), output_compression=text, seed="7")
    assert command.params.get("quality") == quality
    assert command.params["seed"] == 7


def test_an_edit_needs_a_prompt() -> None:
    with pytest.raises(TaskError, match="prompt 不能为空"):
        submit_edit(picture("image"), prompt=" ")
