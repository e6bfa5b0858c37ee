"""The table of dialects in the documentation says what the dialects are."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from darkroom.core.task import Operation
from darkroom.dialects import discover

SCRIPT = Path(__file__).parents[2] / "scripts" / "feature_matrix.py"
DIALECTS = {dialect.name: dialect for dialect in discover()}


@pytest.fixture(scope="module")
def matrix() -> ModuleType:
    spec = importlib.util.spec_from_file_location("feature_matrix", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_script_writes(matrix: ModuleType) -> None:
    page = matrix.PAGE.read_text("utf-8")
    assert page == matrix.with_table(page), "run python scripts/feature_matrix.py"


def test_an_old_table_is_replaced_and_the_rest_of_the_page_kept(matrix: ModuleType) -> None:
    page = f"before\n{matrix.BEGIN}| old |\n{matrix.END}after\n"
    written = matrix.with_table(page)
    assert written.startswith(f"before\n{matrix.BEGIN}|  | [")
    assert written.endswith(f"|\n{matrix.END}after\n")
    assert "old" not in written


def test_operations_are_those_that_requests_can_ask_for(matrix: ModuleType) -> None:
    assert matrix.operations(DIALECTS["native"]) == set(Operation)
    assert matrix.operations(DIALECTS["tensorslab"]) == {"image.generate", "image.edit", "video.generate"}
    assert {"image.face_swap", "video.face_swap"} <= matrix.operations(DIALECTS["muyuhan"])


def test_every_dialect_has_a_page(matrix: ModuleType) -> None:
    for name in DIALECTS:
        assert (matrix.PAGE.parent / f"{name}.md").is_file()
