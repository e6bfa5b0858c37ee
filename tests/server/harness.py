"""The kit's server, under the name that these tests know it by, and what they need beside it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darkroom.testing.server import FAKE_DEFAULTS, NO_TLS, PATIENCE, Darkroom, fetched, module_path, polls, until

__all__ = ["FAKE_DEFAULTS", "NO_TLS", "PATIENCE", "Darkroom", "changed", "fetched", "polls", "unsigned", "until"]

SIGNATURE = re.compile(r"exp=\d+&sig=[0-9a-f]+")
CHANGE = """
import pkgutil, sys

for name, value in {values}.items():
    place, _, name_there = name.rpartition(".")
    try:
        place = pkgutil.resolve_name(place)
        getattr(place, name_there)
    except (ImportError, AttributeError) as error:
        sys.exit(f"there is no {{name}} that a test could change: {{error!r}}")
    setattr(place, name_there, eval(value) if isinstance(value, str) else value)
"""


def changed(folder: Path, values: Mapping[str, float | str]) -> dict[str, str]:
    """The environment of a server whose modules hold other values: numbers, or Python as text, by their whole names."""
    folder.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(CHANGE.format(values=dict(values)))
    return {"PYTHONPATH": f"{folder}{os.pathsep}{module_path()}"}


def unsigned(answer: Any) -> Any:
    """An answer but for the signatures of its links, which are others in the next hour."""
    return json.loads(SIGNATURE.sub("signed", json.dumps(answer)))
