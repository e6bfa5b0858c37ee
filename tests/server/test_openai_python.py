"""OpenAI's own client for Python, as it comes, with the server's address as its `base_url`."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator

import httpx
import openai
import pytest
from harness import NO_TLS, Darkroom, fetched
from openai import OpenAI
from PIL import Image
from samples import png, shape
from vendors import answered

IMAGE = re.compile(r"!\[generated\]\((http://\S+)\)")


def client_of(server: Darkroom, key: str | None = None, retries: int = 0) -> OpenAI:
    """A client; nothing of the caller's own settings gets in."""
    http = httpx.Client(verify=NO_TLS, trust_env=False, timeout=30)
    return OpenAI(api_key=key or server.key, base_url=f"{server.address}/v1", max_retries=retries, http_client=http)


@pytest.fixture
def openai_client(server: Darkroom) -> Iterator[OpenAI]:
    with client_of(server) as client:
        yield client


# Pictures


def test_a_picture_is_made_and_fetched_by_its_link(openai_client: OpenAI) -> None:
    made = openai_client.images.generate(model="gpt-image-2", prompt="a lake", size="1024x1024", n=2, quality="high")
    assert made.data is not None
    assert made.created > 1_700_000_000
    assert [shape(fetched(image.url or "").content) for image in made.data] == [("PNG", (1024, 1024))] * 2


def test_a_picture_comes_inside_the_answer(openai_client: OpenAI) -> None:
    made = openai_client.images.generate(
        model="gpt-image-2", prompt="a lake", size="1536x1024", response_format="b64_json", output_format="jpeg"
    )
    assert made.data is not None
    assert made.data[0].url is None
    assert shape(base64.b64decode(made.data[0].b64_json or "")) == ("JPEG", (1536, 1024))


def test_pictures_are_edited_where_a_mask_says(openai_client: OpenAI, client: httpx.Client, picture: bytes) -> None:
    edited = openai_client.images.edit(
        model="gpt-image-2",
        image=[("a.png", picture), ("b.png", png(50, 50))],
        mask=("mask.png", png(40, 30)),
        prompt="make it night",
        response_format="b64_json",
    )
    assert edited.data is not None
    assert shape(base64.b64decode(edited.data[0].b64_json or ""))[0] == "PNG"
    task = answered(client.get("/api/tasks", params={"limit": 1}))["items"][0]
    assert task["operation"] == "image.edit"


def test_a_picture_stays_as_it_is_where_the_mask_is_opaque(openai_client: OpenAI) -> None:
    edited = openai_client.images.edit(
        model="edit-v1",
        image=("a.png", png(96, 64)),
        mask=("mask.png", half_transparent(96, 64)),
        prompt="black and white",
        response_format="b64_json",
    )
    assert edited.data is not None
    before, after = pixels(png(96, 64)), pixels(base64.b64decode(edited.data[0].b64_json or ""))
    assert after.crop((64, 0, 96, 64)).tobytes() == before.crop((64, 0, 96, 64)).tobytes()
    red, green, blue = after.getpixel((8, 8))
    assert max(red, green, blue) - min(red, green, blue) <= 3


def half_transparent(width: int, height: int) -> bytes:
    """A mask that lets its left half be changed."""
    mask = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    file = io.BytesIO()
    mask.save(file, "PNG")
    return file.getvalue()


def pixels(content: bytes) -> Image.Image:
    """A picture without transparency."""
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB")


def test_models_are_listed(openai_client: OpenAI) -> None:
    models = {model.id: model for model in openai_client.models.list()}
    assert {"gpt-image-2", "nano-banana-pro", "fake", "edit-v1"} <= models.keys()
    assert models["gpt-image-2"].object == "model"


# Chats


def test_a_chat_shows_a_picture(openai_client: OpenAI) -> None:
    done = openai_client.chat.completions.create(
        model="gpt-image-2",
        messages=[
            {"role": "user", "content": "a lake"},
            {"role": "assistant", "content": "![generated](x)"},
            {"role": "user", "content": "a mountain"},
        ],
    )
    (link,) = IMAGE.findall(done.choices[0].message.content or "")
    assert shape(fetched(link).content)[0] == "PNG"
    assert (done.model, done.choices[0].finish_reason) == ("gpt-image-2", "stop")
    assert done.usage is not None
    assert done.usage.total_tokens == 0


def test_a_chat_takes_pictures(openai_client: OpenAI, client: httpx.Client, picture: bytes) -> None:
    data_url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    done = openai_client.chat.completions.create(
        model="gpt-image-2",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "make it night"},
                    {"type": "image_url", "image_url": {"url": data_url}},
                ],
            }
        ],
    )
    assert IMAGE.search(done.choices[0].message.content or "")
    assert answered(client.get("/api/tasks", params={"limit": 1}))["items"][0]["operation"] == "image.edit"


def test_a_streamed_chat_arrives_event_by_event(openai_client: OpenAI) -> None:
    stream = openai_client.chat.completions.create(
        model="gpt-image-2", messages=[{"role": "user", "content": "a lake"}], stream=True
    )
    chunks = [chunk.choices[0] for chunk in stream]
    assert [chunk.finish_reason for chunk in chunks] == [None, None, "stop"]
    assert chunks[0].delta.role == "assistant"
    (link,) = IMAGE.findall("".join(chunk.delta.content or "" for chunk in chunks))
    assert fetched(link).status_code == 200


@pytest.mark.parametrize(("end", "codes"), [("cancel", {"interrupted"}), ("delete", {"interrupted", "not_found"})])
def test_a_streamed_chat_begins_before_its_end_and_raises_why_there_is_no_picture(
    server: Darkroom, end: str, codes: set[str]
) -> None:
    key = server.new_key()
    owner = server.client(key)
    with client_of(server, key) as chatting:
        stream = chatting.chat.completions.create(
            model="gpt-image-2", messages=[{"role": "user", "content": "fake:hang"}], stream=True
        )
        assert next(iter(stream)).choices[0].delta.role == "assistant"
        (task,) = answered(owner.get("/api/tasks"))["items"]
        if end == "cancel":
            assert owner.post(f"/api/tasks/{task['id']}/cancel").status_code == 200
        else:
            assert owner.delete(f"/api/tasks/{task['id']}").status_code == 204
        with pytest.raises(openai.APIError) as raised:
            list(stream)
    assert raised.value.code in codes


def test_a_streamed_chat_whose_task_fails_raises_the_reason(openai_client: OpenAI) -> None:
    stream = openai_client.chat.completions.create(
        model="gpt-image-2", messages=[{"role": "user", "content": "a lake, fake:fail"}], stream=True
    )
    with pytest.raises(openai.APIError, match="fake engine failed") as raised:
        list(stream)
    assert (raised.value.type, raised.value.code) == ("service_unavailable", "upstream_error")


# What goes wrong


def generate(client: OpenAI, prompt: str = "a lake", model: str = "gpt-image-2") -> None:
    client.images.generate(model=model, prompt=prompt)


def test_a_wrong_key_is_an_authentication_error(server: Darkroom) -> None:
    with client_of(server, "sk-wrong") as client, pytest.raises(openai.AuthenticationError) as raised:
        generate(client)
    assert (raised.value.type, raised.value.code) == ("authentication_error", "invalid_api_key")


@pytest.mark.parametrize(
    ("prompt", "model", "code"),
    [(" ", "gpt-image-2", "invalid_request_error"), ("a lake", "dall-e-3", "model_not_found")],
)
def test_a_wrong_request_is_a_bad_request_error(openai_client: OpenAI, prompt: str, model: str, code: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        generate(openai_client, prompt, model)
    assert raised.value.code == code


def test_a_language_model_is_a_bad_request_error(openai_client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="no language models") as raised:
        openai_client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "hello"}])
    assert raised.value.code == "model_not_found"


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_without_a_prompt_is_a_bad_request_error(openai_client: OpenAI, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError, match="prompt"):
        openai_client.chat.completions.create(
            model="gpt-image-2", messages=[{"role": "system", "content": "be brief"}], stream=stream
        )


def test_an_unknown_task_is_a_not_found_error(openai_client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="任务不存在") as raised:
        openai_client.get("/tasks/img_000000000000000000000000", cast_to=httpx.Response)
    assert raised.value.code == "not_found"


def test_no_credits_are_an_error_with_the_vendors_status(server: Darkroom) -> None:
    with client_of(server, server.new_key(credits=0)) as client, pytest.raises(openai.APIStatusError) as raised:
        generate(client)
    assert (raised.value.status_code, raised.value.code) == (402, "insufficient_balance")


def test_a_failed_task_is_raised_and_not_submitted_again(server: Darkroom) -> None:
    key = server.new_key()
    with client_of(server, key, retries=2) as client, pytest.raises(openai.InternalServerError) as raised:
        generate(client, "a lake, fake:fail")
    assert (raised.value.status_code, raised.value.code) == (502, "upstream_error")
    assert len(answered(server.client(key).get("/api/tasks"))["items"]) == 1


def test_every_answer_has_the_id_that_the_client_reports(openai_client: OpenAI) -> None:
    raw = openai_client.models.with_raw_response.list()
    assert raw.headers["x-request-id"]
    named = openai_client.models.with_raw_response.list(extra_headers={"X-Request-Id": "mine-7"})
    assert named.headers["x-request-id"] == "mine-7"
