"""Copies between object storages: everything, once, whole, and beside a server that goes on writing."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncGenerator
from pathlib import Path

import obstore
import pytest

from bad_line import Line
from darkroom.cli_objects import check_places
from darkroom.config import SettingsError
from darkroom.copying import Copier
from darkroom.core.errors import TaskError
from darkroom.objects import Objects, Source
from darkroom.objects.cloud import open_cloud
from darkroom.testing.objects import PICTURE, keys, read
from darkroom.testing.server import until
from processes import darkroom, environment, refused
from seaweed import Seaweed

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + PICTURE
FILES = {f"tasks/t{n}/1/{part}": PNG + bytes([n]) for n in range(6) for part in ("0", "0.thumbnail")}


@pytest.fixture
def folder(tmp_path: Path) -> Objects:
    return Objects.open(str(tmp_path / "folder"))


@pytest.fixture
def bucket(seaweed: Seaweed) -> Objects:
    return Objects.open(seaweed.place(), seaweed.cloud())


async def fill(objects: Objects) -> None:
    for key, content in FILES.items():
        await objects.put(key, content)


async def content(objects: Objects) -> dict[str, bytes]:
    return {key: await read(await objects.get(key)) for key in await keys(objects)}


@pytest.mark.parametrize("way", ["there", "back", "from bucket to bucket"])
async def test_everything_is_copied_once(folder: Objects, bucket: Objects, seaweed: Seaweed, way: str) -> None:
    other = Objects.open(seaweed.place(), seaweed.cloud())
    source, target = {"there": (folder, bucket), "back": (bucket, folder)}.get(way, (bucket, other))
    await fill(source)
    copied = await Copier(source, target).run()
    assert (copied.files, copied.bytes) == (len(FILES), sum(map(len, FILES.values())))
    assert await content(target) == FILES == await content(source)
    again = await Copier(source, target).run()
    assert (again.files, again.bytes, again.present, again.failed) == (0, 0, len(FILES), {})


async def test_a_copy_in_the_cloud_knows_what_it_is(folder: Objects, seaweed: Seaweed) -> None:
    place = seaweed.place()
    await fill(folder)
    await Copier(folder, Objects.open(place, seaweed.cloud())).run()
    found = await obstore.get_async(open_cloud(place, seaweed.cloud())[0], "tasks/t0/1/0")
    assert found.attributes["Content-Type"] == "image/png"


async def test_a_file_that_differs_is_copied_again(folder: Objects, bucket: Objects, seaweed: Seaweed) -> None:
    await fill(folder)
    await Copier(folder, bucket).run()
    await folder.put("tasks/t0/1/0", b"of another size")
    assert (await Copier(folder, bucket).run()).files == 1
    other = Objects.open(seaweed.place(), seaweed.cloud())
    await Copier(bucket, other).run()
    await bucket.put("tasks/t0/1/0", b"of ANOTHER size")  # as long, but its tag is another one
    assert (await Copier(bucket, other).run()).files == 1
    assert await read(await other.get("tasks/t0/1/0")) == b"of ANOTHER size"


def test_a_copy_that_was_killed_goes_on_where_it_was(folder: Objects, seaweed: Seaweed, tmp_path: Path) -> None:
    asyncio.run(fill(folder))
    place = seaweed.place()
    with Line(seaweed.port) as line:
        command = ("objects", "copy", "--from", str(tmp_path / "folder"), "--to", place, "--at-once", "2")
        env = {**seaweed.environment, "AWS_ENDPOINT_URL": line.address}
        line.stall_up = 3_500_000
        running = subprocess.Popen([sys.executable, "-m", "darkroom", *command], env=environment(env))
        until(lambda: line.failures > 0)
        running.kill()
        running.wait()
        bucket = Objects.open(place, seaweed.cloud())
        some = asyncio.run(content(bucket))
        assert 1 <= len(some) < len(FILES)
        assert all(FILES[key] == value for key, value in some.items())
        line.restore()
        done = re.match(r"copied (\d+) files, .*; (\d+) were there already", darkroom(*command, env=env).stdout)
        assert done
        copied, present = map(int, done.groups())
        assert copied + present == len(FILES)
        assert len(some) <= present < len(FILES)  # the storage may have taken one more when it was listed
        assert asyncio.run(content(bucket)) == FILES


async def test_a_copy_without_hope_is_given_up(folder: Objects, seaweed: Seaweed) -> None:
    for n in range(20):
        await folder.put(f"tasks/t/1/{n}", b"x")
    with Line(seaweed.port) as line:
        bucket = Objects.open(seaweed.place(), seaweed.cloud(endpoint=line.address, seconds=1.0))
        line.refusing = True
        copier = Copier(folder, bucket)
        with pytest.raises(TaskError):
            await copier.run()
        assert 10 <= len(copier.copied.failed) < 20


async def test_one_file_that_cannot_be_copied_stops_no_other(folder: Objects, seaweed: Seaweed) -> None:
    await fill(folder)
    with Line(seaweed.port) as line:
        bucket = Objects.open(seaweed.place(), seaweed.cloud(endpoint=line.address))
        line.busy, line.left = True, 6  # one request and its repetitions
        copied = await Copier(folder, bucket, at_once=1).run()
        assert (copied.files, len(copied.failed), copied.seen) == (len(FILES) - 1, 1, len(FILES))
        assert set(await keys(bucket)) == FILES.keys() - copied.failed.keys()


class Forgetful(Objects):
    """A store that loses the last byte of what it is given."""

    async def put(self, key: str, source: Source, media_type: str = "") -> None:
        assert isinstance(source, Path)
        await super().put(key, source.read_bytes()[:-1], media_type)


async def test_a_copy_that_differs_is_removed_and_reported(folder: Objects, tmp_path: Path) -> None:
    await folder.put("tasks/t/1/0", PICTURE)
    target = Forgetful.open(str(tmp_path / "forgetful"))
    copied = await Copier(folder, target).run()
    assert (copied.files, list(copied.failed)) == (0, ["tasks/t/1/0"])
    assert await keys(target) == []


class Busy(Objects):
    """A store that a server writes to and deletes from while it is listed."""

    async def list(self, prefix: str = "") -> AsyncGenerator:
        async for stat in super().list(prefix):
            await self.delete("tasks/t3/1/0")
            await self.put("tasks/late/1/0", PICTURE)
            yield stat


async def test_a_copy_beside_a_server_takes_what_is_there_and_the_next_one_the_rest(
    bucket: Objects, tmp_path: Path
) -> None:
    source = Busy.open(str(tmp_path / "busy"))
    await fill(source)
    first = await Copier(source, bucket, at_once=1).run()
    assert first.failed == {}
    assert first.files + first.gone in (len(FILES), len(FILES) + 1)
    await Copier(source, bucket).run()
    there = await content(bucket)
    assert {key: there[key] for key in await keys(source)} == await content(source)


async def test_a_large_file_passes_through_little_memory(folder: Objects, bucket: Objects, tmp_path: Path) -> None:
    source = tmp_path / "film"
    with source.open("wb") as file:
        file.truncate(24_000_000)
    await folder.put("tasks/t/1/0", source)
    tracemalloc.start()
    try:
        assert (await Copier(folder, bucket).run()).bytes == 24_000_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


# ---- the command


def test_the_command_copies_and_counts(seaweed: Seaweed, folder: Objects, tmp_path: Path) -> None:
    asyncio.run(fill(folder))
    place = seaweed.place()
    done = darkroom("objects", "copy", "--from", tmp_path / "folder", "--to", place, env=seaweed.environment)
    total = sum(map(len, FILES.values()))
    assert done.stdout == f"copied 12 files, {total} bytes; 0 were there already, 0 ended meanwhile, 0 failed\n"
    assert asyncio.run(content(Objects.open(place, seaweed.cloud()))) == FILES


def test_a_source_may_be_reached_with_settings_of_its_own(
    seaweed: Seaweed, folder: Objects, bucket: Objects, tmp_path: Path
) -> None:
    place = seaweed.place()
    asyncio.run(fill(Objects.open(place, seaweed.cloud())))
    (tmp_path / "theirs.toml").write_text(
        f'objects_endpoint = "{seaweed.endpoint}"\nobjects_allow_http = true\n'
        'objects_key_id = "darkroom-reader"\nobjects_secret = "darkroom-reader-secret"\n'
    )
    told = ("--from", place, "--from-config", tmp_path / "theirs.toml", "--to", tmp_path / "folder")
    assert darkroom("objects", "copy", *told).stdout.startswith("copied 12 files")


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("nowhere", "there", "there is no folder nowhere"),
        (".", "./inside", "--to lies in --from"),
        (".", ".", "--to lies in --from"),
        ("s3://bucket/a", "s3://bucket/a/b/", "--to lies in --from"),
    ],
)
def test_a_copy_that_makes_no_sense_is_refused(source: str, target: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        check_places(source, target, others=False)
    check_places("s3://bucket/a", "s3://bucket/ab", others=False)


def test_a_target_that_cannot_be_written_is_refused_before_anything_is_read(
    seaweed: Seaweed, folder: Objects, tmp_path: Path
) -> None:
    told = ("objects", "copy", "--from", tmp_path / "folder", "--to", seaweed.place())
    assert "check the keys" in refused(*told, env={**seaweed.environment, "AWS_SECRET_ACCESS_KEY": "wrong"})
