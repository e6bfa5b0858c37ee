"""Settings of provenance that only a start can judge: a font without the label's letters, keys that do not sign."""

from __future__ import annotations

import sys
from pathlib import Path

import authority
import pytest
import typeface
from authority import Authority

from darkroom.app import running
from darkroom.config import SettingsError, load
from darkroom.marks import SigningError
from darkroom.marks.credentials import check


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority.make(tmp_path_factory.mktemp("authority") / "files")


def settings_of(folder: Path, **settings: object) -> dict[str, object]:
    return {"data": str(folder / "data"), "engines": "fake", "workers": 1, **settings}


async def refusal(folder: Path, **settings: object) -> str:
    with pytest.raises(SettingsError) as refused:
        async with running(load(settings_of(folder, **settings), {}, None)):
            raise AssertionError("it started")
    return str(refused.value)


async def test_letters_that_the_font_lacks_are_refused_with_what_helps(tmp_path: Path) -> None:
    said = await refusal(tmp_path, label="AI生成")
    assert said == "label: the font lacks '生成': set label_font to the file of a font that has it"
    font = typeface.make(tmp_path / "a.ttf", "AI生")
    said = await refusal(tmp_path, label="AI生成", label_font=str(font))
    assert said == "label: the font lacks '成': choose another label_font"


async def test_a_font_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    said = await refusal(tmp_path, label="AI", label_font="/nowhere.ttf")
    assert said.startswith("label_font: cannot read /nowhere.ttf as a font:")
    (tmp_path / "a.ttf").write_bytes(b"no font")
    assert "label_font" in await refusal(tmp_path, label="AI", label_font=str(tmp_path / "a.ttf"))


async def test_label_and_key_are_judged_together(tmp_path: Path, issuer: Authority) -> None:
    signer = issuer.issue()
    signer.key.write_text("no key")
    said = await refusal(tmp_path, label="生", c2pa_key=str(signer.key), c2pa_chain=str(signer.chain))
    assert said.splitlines() == [
        "label: the font lacks '生': set label_font to the file of a font that has it",
        f"c2pa_key: {signer.key} holds no 'PRIVATE KEY' as PEM",
    ]


async def test_a_server_starts_with_all_of_it(tmp_path: Path, issuer: Authority) -> None:
    signer = issuer.issue()
    font = typeface.make(tmp_path / "a.ttf", "AI生成")
    given = settings_of(
        tmp_path,
        label="AI生成",
        label_font=str(font),
        c2pa_key=str(signer.key),
        c2pa_chain=str(signer.chain),
        aigc_producer="001191000000000000000010001",
    )
    async with running(load(given, {}, None)) as server:
        assert server.worker


async def test_a_server_that_makes_no_results_needs_no_key(tmp_path: Path) -> None:
    given = settings_of(tmp_path, workers=0, label="生", c2pa_key="/nowhere", c2pa_chain="/nowhere")
    async with running(load(given, {}, None)) as server:
        assert server.worker is None


def test_a_missing_package_is_named(issuer: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(SigningError, match=r"pip install 'darkroom-server\[c2pa\]'"):
        check(issuer.issue())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label", "x" * 61),
        ("label", "two\nlines"),
        ("label", " AI"),
        ("label", " "),
        ("label_place", "middle"),
        ("aigc_producer", "Some Company"),
        ("aigc_producer", "公司"),
        ("aigc_producer", 'a"b'),
        ("aigc_producer", "x" * 129),
        ("c2pa_key", "key.pem"),
        ("c2pa_chain", "chain.pem"),
        ("c2pa_algorithm", "rsa"),
        ("c2pa_timestamp_url", "timestamp.example.com"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_the_settings_alone(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({name: value}, {}, None)
    [said] = str(refused.value).splitlines()
    assert name in said
