"""What every test of marks may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from marked import MAKERS


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("originals")
    for name, make in MAKERS.items():
        make(folder / name)
    return {name: (folder / name).read_bytes() for name in MAKERS}


@pytest.fixture
def given(originals: dict[str, bytes], tmp_path: Path) -> Callable[[str], Path]:
    """A fresh copy of one of the files."""

    def copy(name: str) -> Path:
        (tmp_path / name).write_bytes(originals[name])
        return tmp_path / name

    return copy
