"""Rules that the repository keeps about itself."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from darkroom.config import DEFAULTS, NAMES, load

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PYTHON = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_begins_by_saying_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert docstring
    assert docstring.splitlines()[0].strip()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_sql_is_written_in_the_store_alone(path: Path) -> None:
    if "store" in path.parts or "testing" in path.parts:
        return
    assert not re.search(r'"(SELECT|INSERT|UPDATE|DELETE|CREATE TABLE)\s', path.read_text("utf-8"))


def test_the_example_configuration_lists_every_setting_with_its_default() -> None:
    example = tomllib.loads((ROOT / "darkroom.example.toml").read_text("utf-8"))
    assert set(example) == set(NAMES)
    assert load({}, {}, ROOT / "darkroom.example.toml") == DEFAULTS


def test_every_setting_is_explained_in_the_example() -> None:
    lines = (ROOT / "darkroom.example.toml").read_text("utf-8").splitlines()
    for name in NAMES:
        place = next(i for i, line in enumerate(lines) if re.match(rf"{name} = |\[{name}\]", line))
        block = lines[max(0, place - 4) : place]
        assert any(line.startswith("#") for line in block), name


def test_every_changelog_fragment_has_a_kind() -> None:
    kinds = {"added", "changed", "fixed", "removed", "security"}
    fragments = [path for path in (ROOT / "changes").iterdir() if path.name != "README.md"]
    for path in fragments:
        assert re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(kinds)})\.md", path.name), path.name
        assert path.read_text("utf-8").strip()


def test_the_api_process_imports_neither_numpy_nor_opencv() -> None:
    code = (
        "import sys; import darkroom.app, darkroom.serve; from darkroom.dialects import discover; discover();"
        "from darkroom.engines import EngineSettings, create, names;"
        "[create(name, EngineSettings()) for name in names()];"
        "sys.exit(','.join(m for m in ('numpy', 'cv2', 'av') if m in sys.modules) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_link_between_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{name_of(page)} links to {target}"
