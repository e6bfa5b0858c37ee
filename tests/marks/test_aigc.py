"""China's field in files: where it is, what it says, and that a file has one."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import pytest
from marked import EXIFTOOL, FACTS, FOREIGN, MAKERS, TYPES, film, insert, packet_of, picture, put, seen, told
from PIL import PngImagePlugin

from darkroom.marks import embed, field_of
from darkroom.marks.aigc import VALUE, field
from darkroom.marks.boxes import CREDENTIALS

TEXT = field("001191000000000000000010001", "task_1-1")
LABELLED = replace(FACTS, aigc=TEXT)
PICTURES = [name for name in MAKERS if not name.endswith(("mp4", "mov"))]
FILMS = ["fast.mp4", "slow.mp4", "plain.mov"]


def property_of(path: Path) -> str | None:
    """The field as a player's library reads it."""
    with av.open(str(path)) as container:
        return container.metadata.get("AIGC")


def test_the_field_has_the_seven_parts_of_the_standard_in_their_order() -> None:
    assert TEXT == (
        '{"Label":"1","ContentProducer":"001191000000000000000010001","ProduceID":"task_1-1","ReservedCode1":"",'
        '"ContentPropagator":"001191000000000000000010001","PropagateID":"task_1-1","ReservedCode2":""}'
    )


def test_a_number_consists_of_what_the_standard_lets_it() -> None:
    number = json.loads(field("a", 'task "1"\\ 生\n'))["ProduceID"]
    assert number == "task__1_____"
    assert VALUE.fullmatch(number)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_the_field_in_its_packet(name: str, given: Callable[[str], Path]) -> None:
    path = given(name)
    before = seen(path)
    facts = told(packet_of(put(path, LABELLED)))
    assert facts["AIGC"] == TEXT
    assert facts["taskId"] == FACTS.task_id
    assert seen(path) == before


@pytest.mark.parametrize("name", FILMS)
def test_a_film_has_the_field_among_its_properties_and_nowhere_else(name: str, given: Callable[[str], Path]) -> None:
    path = given(name)
    before = seen(path)
    with av.open(str(path)) as container:
        others = container.metadata
    put(path, LABELLED)
    assert property_of(path) == field_of(path) == TEXT
    assert path.read_bytes().count(b"ContentProducer") == 1
    assert told(packet_of(path))["taskId"] == FACTS.task_id
    assert seen(path) == before
    with av.open(str(path)) as container:
        assert container.metadata == {**others, "AIGC": TEXT}


def test_a_film_that_plays_while_it_loads_still_does(given: Callable[[str], Path]) -> None:
    content = put(given("fast.mp4"), LABELLED).read_bytes()
    assert content.index(b"moov") < content.index(b"AIGC") < content.index(b"mdat")


@pytest.mark.parametrize("name", ["plain.png", "plain.jpg", "lossy.webp", "fast.mp4"])
def test_exiftool_reads_the_field(name: str, given: Callable[[str], Path]) -> None:
    path = put(given(name), LABELLED)
    if EXIFTOOL is None:  # then the readers of these tests are the only ones
        assert TEXT in (property_of(path) if name.endswith("mp4") else told(packet_of(path))["AIGC"])
        return
    found = subprocess.run([EXIFTOOL, "-s3", "-AIGC", path], check=True, capture_output=True, text=True).stdout
    assert found.strip() == TEXT


@pytest.mark.parametrize("name", ["plain.jpg", "fast.mp4", "plain.png"])
def test_a_field_that_a_vendor_wrote_stays_the_only_one(name: str, given: Callable[[str], Path]) -> None:
    path = given(name)
    embed(path, TYPES.get(path.suffix[1:], "image/png"), lambda _: FOREIGN)
    facts = told(packet_of(put(path, LABELLED)))
    assert facts["AIGC"] == '{"Label":"1"}'
    assert b"ContentProducer" not in path.read_bytes()


def test_a_field_that_a_vendor_wrote_as_an_attribute_stays_too(given: Callable[[str], Path]) -> None:
    path = given("plain.png")
    packet = FOREIGN.replace(b'<TC260:AIGC>{"Label":"1"}</TC260:AIGC>', b"").replace(
        b' dc:format="', b' TC260:AIGC="{}" dc:format="'
    )
    embed(path, "image/png", lambda _: packet)
    assert told(packet_of(put(path, LABELLED)))["AIGC"] == "{}"


def test_a_field_that_a_vendor_wrote_in_another_place_stays_the_only_one(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("AIGC", '{"AIGC":{"Label":"1","ContentProducer":"vendor"}}')
    picture().save(tmp_path / "a.png", pnginfo=info)
    for _ in range(2):
        assert "AIGC" not in told(packet_of(put(tmp_path / "a.png", LABELLED)))
    assert (tmp_path / "a.png").read_bytes().count(b"ContentProducer") == 1


def tagged(path: Path, **properties: str) -> Path:
    """A film with properties that have names, as the practice guide's command writes them."""
    source = path.with_name("source.mp4")
    film(source)
    with av.open(str(source)) as old, av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as new:
        new.metadata.update(properties)
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return path


def test_the_field_joins_the_properties_that_are_there(tmp_path: Path) -> None:
    path = tagged(tmp_path / "a.mp4", title="a title", mood="calm")
    before = seen(path)
    put(path, LABELLED)
    with av.open(str(path)) as container:
        found = container.metadata
    assert (found["title"], found["mood"], found["AIGC"]) == ("a title", "calm", TEXT)
    assert path.read_bytes().count(b"keys") == 1
    assert seen(path) == before


def test_a_property_of_that_name_stays_as_it_is(tmp_path: Path) -> None:
    path = tagged(tmp_path / "a.mp4", AIGC="a vendor's")
    put(path, LABELLED)
    assert property_of(path) == "a vendor's"
    assert b"ContentProducer" not in path.read_bytes()


def test_properties_of_the_older_kind_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": "a title", "comment": "a comment"})
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    put(path, LABELLED)
    with av.open(str(path)) as container:
        found = container.metadata
    assert (found["title"], found["comment"], found["AIGC"]) == ("a title", "a comment", TEXT)


def test_a_film_in_fragments_has_the_field_in_its_packet(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    before = seen(path)
    assert told(packet_of(put(path, LABELLED)))["AIGC"] == TEXT
    assert seen(path) == before
    assert before


def test_wide_places_of_frames_are_corrected(given: Callable[[str], Path]) -> None:
    path = given("fast.mp4")
    before = seen(path)
    content = path.read_bytes()
    start = content.index(b"stco") - 4
    size, count = struct.unpack_from(">I8xI", content, start)
    places = struct.unpack_from(f">{count}I", content, start + 16)
    wide = struct.pack(">I4s4xI", 16 + 8 * count, b"co64", count)
    wide += struct.pack(f">{count}Q", *(place + 4 * count for place in places))
    content = content[:start] + wide + content[start + size :]
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = content.index(kind) - 4
        (length,) = struct.unpack_from(">I", content, place)
        content = content[:place] + struct.pack(">I", length + 4 * count) + content[place + 4 :]
    path.write_bytes(content)
    assert seen(path) == before
    put(path, LABELLED)
    assert property_of(path) == TEXT
    assert seen(path) == before


def test_no_single_wrong_byte_of_a_film_does_worse_than_a_refusal(given: Callable[[str], Path]) -> None:
    path = given("fast.mp4")
    content = path.read_bytes()
    marked = refused = 0
    for place in range(content.index(b"moov") - 4, content.index(b"mdat") - 4, 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            put(path, LABELLED)
        except ValueError:
            refused += 1
        else:
            marked += 1
    assert marked
    assert refused
    assert list(path.parent.iterdir()) == [path]


def test_a_film_with_credentials_is_refused_as_a_whole(given: Callable[[str], Path]) -> None:
    path = given("fast.mp4")
    insert(path, path.stat().st_size, b"\x00\x00\x00\x1cuuid" + CREDENTIALS + b"jumb")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="C2PA"):
        put(path, LABELLED)
    assert path.read_bytes() == before


def test_marking_again_writes_the_same_field_once(given: Callable[[str], Path]) -> None:
    for name in ("plain.png", "fast.mp4"):
        path = put(given(name), LABELLED)
        once = path.read_bytes()
        assert put(path, LABELLED).read_bytes() == once
