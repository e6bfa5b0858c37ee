"""Every dialect that is discovered keeps the contract, with the examples of its vendor where there are any."""

from __future__ import annotations

from pathlib import Path

from darkroom.dialects import discover
from darkroom.testing.dialects import DialectSuite

HERE = Path(__file__).parent

for found in discover():
    folder = HERE / found.name
    joined = {"dialect": found, "transcripts": folder if any(folder.glob("*.http")) else None}
    globals()[f"Test{found.name.title()}"] = type(f"Test{found.name.title()}", (DialectSuite,), joined)
