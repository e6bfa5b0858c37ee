"""Signed content credentials: what a reader finds in signed files, and what keeps a file from being signed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import authority
import pytest
from authority import Authority
from marked import FACTS, MAKERS, TYPES, packet_of, put, seen, told

from darkroom.marks import Credentials, SigningError, SourceType, sign
from darkroom.marks.credentials import check

UNTRUSTED = {"signingCredential.untrusted"}  # nobody knows the authority of these tests
FORMATS = ("plain.png", "plain.jpg", "lossy.webp", "plain.avif", "fast.mp4", "plain.mov", "plain.gif")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority.make(tmp_path_factory.mktemp("authority") / "files")


@pytest.fixture(scope="module")
def signer(issuer: Authority) -> Credentials:
    return issuer.issue()


def type_of(path: Path) -> str:
    return TYPES.get(path.suffix[1:], f"image/{path.suffix[1:]}")


def signed(path: Path, signer: Credentials, *, altered: bool = False) -> authority.Manifest:
    put(path)
    sign(path, type_of(path), FACTS, signer, altered=altered)
    manifest = authority.read(path, type_of(path))
    assert manifest
    return manifest


@pytest.mark.parametrize("name", MAKERS)
def test_a_signed_file_of_every_format_holds_and_shows_what_it_showed(
    name: str, given: Callable[[str], Path], signer: Credentials
) -> None:
    path = given(name)
    before = seen(path)
    manifest = signed(path, signer)
    assert (manifest.state, manifest.problems) == ("Valid", UNTRUSTED)
    assert seen(path) == before
    assert told(packet_of(path))["taskId"] == FACTS.task_id


def test_a_signature_says_what_the_mark_says(given: Callable[[str], Path], signer: Credentials) -> None:
    manifest = signed(given("plain.png"), signer)
    generator = manifest.content["claim_generator_info"][0]
    [action] = manifest.actions
    assert (generator["name"], action["action"]) == ("Darkroom", "c2pa.created")
    assert action["digitalSourceType"] == FACTS.digital_source_type
    assert action["when"] == "2026-09-21T14:13:20Z"
    assert action["parameters"] == {"x-darkroom.model": "city-v1", "x-darkroom.taskId": "task_0000000001"}


def test_a_signature_tells_of_an_alteration(given: Callable[[str], Path], signer: Credentials) -> None:
    path = given("plain.jpg")
    sign(path, "image/jpeg", replace(FACTS, digital_source_type=SourceType.ALTERED), signer, altered=True)
    manifest = authority.read(path, "image/jpeg")
    assert manifest
    assert manifest.problems == UNTRUSTED
    assert [action["action"] for action in manifest.actions] == ["c2pa.created", "c2pa.edited"]
    assert {action["digitalSourceType"] for action in manifest.actions} == {SourceType.ALTERED}


@pytest.mark.parametrize("name", FORMATS)
def test_a_changed_byte_is_noticed(name: str, given: Callable[[str], Path], signer: Credentials) -> None:
    path = given(name)
    signed(path, signer)
    content = bytearray(path.read_bytes())
    place = content.index(b"city-v1</darkroom:model>")
    content[place] ^= 1
    path.write_bytes(content)
    manifest = authority.read(path, type_of(path))
    assert manifest
    assert manifest.state == "Invalid"
    assert any(problem.endswith("Hash.mismatch") for problem in manifest.problems)


@pytest.mark.parametrize("algorithm", ["es256", "es384", "ps256"])
def test_every_kind_of_key_signs(algorithm: str, given: Callable[[str], Path], issuer: Authority) -> None:
    assert signed(given("plain.png"), issuer.issue(algorithm)).problems == UNTRUSTED


def test_no_thumbnail_makes_a_signed_file_much_larger(given: Callable[[str], Path], signer: Credentials) -> None:
    path = put(given("plain.png"))
    size = path.stat().st_size
    signed(path, signer)
    assert path.stat().st_size - size < 10_000


def edited(path: Path, change: Callable[[bytes], bytes]) -> Path:
    new = path.with_name(f"{path.name}.changed")
    new.write_bytes(change(path.read_bytes()))
    return new


def old_key(path: Path) -> Path:
    new = path.with_name(f"{path.name}.old")
    subprocess.run(["openssl", "pkey", "-traditional", "-in", path, "-out", new], check=True)
    return new


WRONG: dict[str, tuple[Callable[[Credentials, Authority], Credentials], str]] = {
    "no key": (lambda good, _: replace(good, key=Path("/nowhere.pem")), "c2pa_key: cannot read /nowhere.pem: No such"),
    "folder": (lambda good, _: replace(good, key=good.key.parent), "Is a directory"),
    "no PEM": (lambda good, _: replace(good, key=edited(good.key, lambda _: b"key")), "holds no 'PRIVATE KEY' as PEM"),
    "old key": (lambda good, _: replace(good, key=old_key(good.key)), "openssl pkcs8 -topk8 -nocrypt"),
    "cut key": (lambda good, _: replace(good, key=edited(good.key, lambda old: old[:100])), "c2pa_key, c2pa_chain"),
    "other key": (lambda good, issuer: replace(good, key=issuer.issue().key), "cannot sign"),
    "no chain": (lambda good, _: replace(good, chain=Path("/nowhere.pem")), "c2pa_chain: cannot read /nowhere.pem"),
    "key as chain": (lambda good, _: replace(good, chain=good.key), "c2pa_chain: "),
    "other algorithm": (lambda good, _: replace(good, algorithm="ps256"), "c2pa_algorithm cannot sign"),
    "too old": (lambda _, issuer: issuer.issue(days=-1), "cannot sign"),
    "no purpose": (lambda _, issuer: issuer.issue(purpose=False), "cannot sign"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_key_or_certificate_that_cannot_sign_is_found_by_name_and_not_shown(
    case: str, signer: Credentials, issuer: Authority
) -> None:
    spoil, said = WRONG[case]
    with pytest.raises(SigningError) as caught:
        check(spoil(signer, issuer))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    for line in signer.key.read_text().splitlines()[1:-1]:
        assert line not in str(caught.value)


def test_a_good_key_passes_the_check_and_asks_nobody_for_the_time(issuer: Authority) -> None:
    check(issuer.issue(timestamp_url="http://127.0.0.1:1/"))


def test_a_file_that_cannot_be_signed_stays_as_it_was(given: Callable[[str], Path], issuer: Authority) -> None:
    path = given("plain.png")
    before = path.read_bytes()
    with pytest.raises(SigningError, match=r"127\.0\.0\.1"):
        sign(path, "image/png", FACTS, issuer.issue(timestamp_url="http://127.0.0.1:1/"), altered=False)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_format_without_a_place_for_signatures_is_refused(tmp_path: Path, signer: Credentials) -> None:
    path = tmp_path / "a.webm"
    path.write_bytes(b"\x1a\x45\xdf\xa3")
    with pytest.raises(SigningError):
        sign(path, "video/webm", FACTS, signer, altered=False)
    assert path.read_bytes() == b"\x1a\x45\xdf\xa3"


def test_neither_settings_nor_messages_show_the_key(signer: Credentials) -> None:
    secret = signer.key.read_text().splitlines()[1]
    assert secret not in repr(signer)
    assert os.fspath(signer.key) in repr(signer)
