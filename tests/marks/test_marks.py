"""Marks of provenance: what a marked file tells, and that nothing else of it changes.

Marks are read back by the readers of these tests and, where it is installed, by exiftool.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from marked import (
    EXIFTOOL,
    FACTS,
    FOREIGN,
    FORMATS,
    MAKERS,
    TOLD,
    XMP_BOX,
    exiftool,
    insert,
    packet_of,
    picture,
    put,
    seen,
    told,
)
from PIL import Image, PngImagePlugin

from darkroom.core.task import Operation
from darkroom.marks import source_type

every_file = pytest.mark.parametrize("name", MAKERS)
every_format = pytest.mark.parametrize("name", FORMATS)


@every_file
def test_a_marked_file_tells_its_model_task_software_and_source_type(name: str, given: Callable[[str], Path]) -> None:
    assert told(packet_of(put(given(name)))) == TOLD


def test_exiftool_reads_the_mark_of_every_format_and_finds_nothing_new_to_complain_of(
    given: Callable[[str], Path],
) -> None:
    paths = [given(name) for name in MAKERS]
    if EXIFTOOL is None:  # then the readers above are the only ones
        assert not [path for path in paths if told(packet_of(put(path))) != TOLD]
        return
    before = exiftool(*paths)
    for path, old, found in zip(paths, before, exiftool(*map(put, paths)), strict=True):
        assert found.get("Warning") == old.get("Warning"), path.name
        assert "Error" not in found
        assert found["DigitalSourceType"].endswith("/algorithmicMedia"), path.name
        assert (found["Model"], found["TaskId"], found["CreatorTool"]) == ("city-v1", "task_0000000001", "Darkroom 9.8")
        assert found["Description"] == FACTS.prompt
        assert found["CreateDate"] == FACTS.created // 1000


@every_file
def test_no_pixel_changes(name: str, given: Callable[[str], Path]) -> None:
    path = given(name)
    before = seen(path)
    assert seen(put(path)) == before
    assert before


@pytest.mark.parametrize("name", ["fast.mp4", "slow.mp4", "plain.mov", "moving.avif"])
def test_nothing_moves_in_a_film(name: str, given: Callable[[str], Path]) -> None:
    path = given(name)
    before = path.read_bytes()
    assert put(path).read_bytes().startswith(before)


@every_file
def test_marking_again_replaces_the_mark(name: str, given: Callable[[str], Path]) -> None:
    path = put(given(name))
    put(path, replace(FACTS, task_id="task_another", prompt=None))
    facts = told(packet_of(path))
    assert facts["taskId"] == "task_another"
    assert "description" not in facts
    once = put(path).read_bytes()
    assert put(path).read_bytes() == once
    assert len(once) == len(put(given(name)).read_bytes())


@every_format
def test_what_another_program_wrote_stays_unless_the_mark_says_it_too(
    name: str, given: Callable[[str], Path], tmp_path: Path
) -> None:
    path = put(given(name))
    mine = packet_of(path)
    # The same length keeps every format whole but for PNG's checksum.
    foreign = FOREIGN + b" " * (len(mine) - len(FOREIGN))
    content = path.read_bytes().replace(mine, foreign)
    if name.endswith("png"):
        start = content.index(b"iTXtXML")
        end = content.index(foreign) + len(foreign)
        content = content[:end] + struct.pack(">I", zlib.crc32(content[start:end])) + content[end + 4 :]
    path.write_bytes(content)
    assert told(packet_of(path))["DigitalSourceType"] == "digitalCapture"
    assert told(packet_of(put(path))) == TOLD | {"format": "image/odd", "AIGC": '{"Label":"1"}'}
    assert 'rdf:about="uuid:1"' in packet_of(path).decode().partition("CreatorTool")[0].rpartition("<rdf:Desc")[2]


def test_other_texts_of_a_png_stay(given: Callable[[str], Path]) -> None:
    with Image.open(put(given("plain.png"))) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert (image.text["Title"], image.text["Comment"]) == ("a title", "ein Schloß")


def test_a_compressed_packet_of_a_png_is_extended(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", FOREIGN.decode(), zip=True)
    picture().save(tmp_path / "a.png", pnginfo=info)
    assert told(packet_of(put(tmp_path / "a.png")))["format"] == "image/odd"


@pytest.mark.parametrize("extension", ["jpg", "webp", "avif"])
def test_a_packet_that_another_program_placed_is_extended(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{extension}"
    picture().save(path, xmp=FOREIGN)
    before = seen(path)
    assert told(packet_of(put(path))) == TOLD | {"format": "image/odd", "AIGC": '{"Label":"1"}'}
    assert seen(path) == before


def test_the_whole_mark_stands_at_the_front_of_a_jpeg(given: Callable[[str], Path]) -> None:
    content = put(given("plain.jpg")).read_bytes()
    order = [content.index(part) for part in (b"JFIF", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/", b"ICC_PROFILE")]
    assert order == sorted(order)


HOSTILE = {
    "markup": "</rdf:li></rdf:Alt></dc:description></rdf:Description><!DOCTYPE a [<!ENTITY b 'c'>]>&b;<![CDATA[",
    "packet end": '<?xpacket end="w"?>\x01\xff\xfe\xfd',
    "controls": "".join(map(chr, range(32))) + "\x7f\x85\u2028\ufeff\ufffe\uffff",
    "surrogates": "\ud83d \udca9 \ud800\udc00 end",
    "emoji": "👩‍👩‍👧‍👦🏰" * 700,
    "long": "0123456789" * 1024,
    "quotes": "&\"<>'" * 2000,
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", ["plain.png", "plain.jpg", "moving.gif"])
def test_no_prompt_breaks_the_packet(case: str, name: str, given: Callable[[str], Path]) -> None:
    prompt = HOSTILE[case]
    path = given(name)
    before = seen(path)
    found = told(packet_of(put(path, replace(FACTS, prompt=prompt, model=prompt))))
    kept = "".join(character if fits_xml(character) else "\ufffd" for character in prompt).replace("\r", "\n")
    assert found["description"] == (kept if len(kept) <= 8192 else kept[:8191] + "…")
    assert found["model"] == (kept if len(kept) <= 256 else kept[:255] + "…")
    assert found["taskId"] == FACTS.task_id
    assert seen(path) == before


def fits_xml(character: str) -> bool:
    try:
        ElementTree.fromstring(f"<a>{escape(character)}</a>")
    except (ElementTree.ParseError, UnicodeEncodeError):
        return False
    return True


def test_a_film_whose_last_box_ends_with_the_file_can_still_be_read(given: Callable[[str], Path]) -> None:
    path = given("fast.mp4")
    before = seen(path)
    content = path.read_bytes()
    start = content.rindex(b"mdat") - 4
    path.write_bytes(content[:start] + bytes(4) + content[start + 4 :])
    assert told(packet_of(put(path))) == TOLD
    assert seen(path) == before


def test_an_earlier_packet_in_the_middle_of_a_film_becomes_a_gap(given: Callable[[str], Path]) -> None:
    path = given("slow.mp4")
    box = struct.pack(">I", 24 + len(FOREIGN)) + b"uuid" + XMP_BOX + FOREIGN
    path = insert(path, path.stat().st_size, box)
    insert(path, path.stat().st_size, b"\x00\x00\x00\x08free")
    before = seen(path)
    assert told(packet_of(put(path)))["format"] == "image/odd"
    assert seen(path) == before
    size = path.stat().st_size
    assert put(path).stat().st_size == size


def test_the_directory_of_an_avif_may_come_last_and_have_wide_numbers(given: Callable[[str], Path]) -> None:
    path = given("plain.avif")
    before = seen(path)
    content = path.read_bytes()
    start = content.index(b"meta") - 4
    end = start + int.from_bytes(content[start : start + 4])
    iloc = content.index(b"iloc") - 4
    size, count = int.from_bytes(content[iloc : iloc + 4]), int.from_bytes(content[iloc + 14 : iloc + 16])
    table = struct.pack(">4sB3xHI", b"iloc", 2, 0x0480, count)  # lengths in 4 bytes, one base in 8
    for item, source, extents, offset, length in struct.iter_unpack(">HHHII", content[iloc + 16 : iloc + size]):
        table += struct.pack(">IHHQHI", item, 0, source, offset, extents, length)
    directory = content[start + 4 : iloc] + struct.pack(">I", len(table) + 4) + table + content[iloc + size : end]
    gap = struct.pack(">I4s", end - start, b"free") + bytes(end - start - 8)
    path.write_bytes(content[:start] + gap + content[end:] + struct.pack(">I", len(directory) + 4) + directory)
    assert seen(path) == before
    assert told(packet_of(put(path))) == TOLD
    assert seen(path) == before


def test_a_gif_of_the_first_version_becomes_one_of_the_second(given: Callable[[str], Path]) -> None:
    path = given("plain.gif")
    assert path.read_bytes().startswith(b"GIF87a")
    assert put(path).read_bytes().startswith(b"GIF89a")


def test_other_names_of_the_file_keep_the_old_content_and_its_rights_stay(given: Callable[[str], Path]) -> None:
    path = given("plain.png")
    path.chmod(0o640)
    other = path.with_name("other")
    other.hardlink_to(path)
    before = path.read_bytes()
    put(path)
    assert other.read_bytes() == before != path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("generative", "operation", "inputs", "term"),
    [
        (False, Operation.IMAGE_GENERATE, False, "algorithmicMedia"),
        (False, Operation.VIDEO_GENERATE, True, "algorithmicallyEnhanced"),
        (False, Operation.IMAGE_UPSCALE, True, "algorithmicallyEnhanced"),
        (False, Operation.VIDEO_FILTER, True, "algorithmicallyEnhanced"),
        (False, Operation.IMAGE_EDIT, True, "algorithmicallyEnhanced"),
        (False, Operation.IMAGE_FACE_SWAP, True, "composite"),
        (True, Operation.IMAGE_GENERATE, False, "trainedAlgorithmicMedia"),
        (True, Operation.VIDEO_GENERATE, True, "trainedAlgorithmicMedia"),
        (True, Operation.IMAGE_EDIT, True, "compositeWithTrainedAlgorithmicMedia"),
        (True, Operation.VIDEO_FACE_SWAP, True, "compositeWithTrainedAlgorithmicMedia"),
    ],
)
def test_the_source_type_says_what_was_done_and_whether_ai_did_it(
    generative: bool, operation: Operation, inputs: bool, term: str
) -> None:
    found = source_type(operation, generative=generative, inputs=inputs)
    assert found == f"http://cv.iptc.org/newscodes/digitalsourcetype/{term}"
