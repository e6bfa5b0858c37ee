"""Object storage as the settings say: what cannot work ends the start with a line that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from darkroom.config import Settings, SettingsError, load
from darkroom.storage import cloud_of, open_objects, usable_objects
from seaweed import KEY_ID, SECRET, Seaweed


def settings(seaweed: Seaweed, **change: Any) -> Settings:
    usual = {"objects_endpoint": seaweed.endpoint, "objects_allow_http": True, "objects_key_id": KEY_ID,
             "objects_secret": SECRET, "objects": seaweed.place()}  # fmt: skip
    return Settings(**{**usual, **change})


async def test_a_storage_that_can_be_used_is_opened(seaweed: Seaweed) -> None:
    await (await usable_objects(settings(seaweed))).put("k", b"x")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"objects": "s3://"}, "objects: 's3://' names no bucket: write s3://BUCKET"),
        ({"objects": "s4://bucket"}, "is no object storage: use a path, file:///"),
        ({"objects_secret": "wrong"}, "the storage refuses (SignatureDoesNotMatch): check the keys"),
        ({"objects_key_id": "", "objects_secret": "x"}, "a key has two parts"),
        ({"objects_allow_http": False}, "set objects_allow_http = true"),
        (
            {"objects_endpoint": "http://127.0.0.1:9", "objects_seconds": 1.0},
            "cannot be reached: check objects_endpoint",
        ),
        ({"objects_endpoint": "nowhere"}, "'nowhere' is no endpoint"),
    ],
    ids=str,
)
async def test_a_storage_that_cannot_be_used_is_refused_in_one_line(
    seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], says: str
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(SettingsError) as caught:
        await usable_objects(settings(seaweed, **change))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


async def test_without_keys_and_without_a_role_the_start_says_so(
    seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SettingsError, match="there are no keys: set AWS_ACCESS_KEY_ID"):
        await usable_objects(settings(seaweed, objects_key_id="", objects_secret="", objects_seconds=1.0))


async def test_a_folder_that_nobody_can_make_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match=r"objects: .*file"):
        await usable_objects(Settings(objects=str(tmp_path / "file" / "objects")))


def test_a_cache_in_front_gets_the_files_themselves() -> None:
    assert cloud_of(Settings()).redirect
    assert not cloud_of(Settings(objects_redirect=False)).redirect
    assert not cloud_of(Settings(cdn_url="https://cdn.example.com")).redirect


def test_the_secret_is_never_shown() -> None:
    for told in (Settings(objects_secret="hidden"), cloud_of(Settings(objects_secret="hidden"))):
        assert "hidden" not in repr(told)


def test_silence_has_a_limit() -> None:
    with pytest.raises(SettingsError, match="objects_seconds must be from 1 to 600"):
        load({"objects_seconds": 0}, {}, None)


def test_another_place_is_opened_with_the_same_settings(tmp_path: Path) -> None:
    open_objects(Settings(), str(tmp_path / "other"))
    assert (tmp_path / "other").is_dir()
