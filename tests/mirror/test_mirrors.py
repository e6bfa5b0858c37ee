"""Every engine that has a dialect of its name runs against it."""

from __future__ import annotations

from darkroom.testing.mirror import MirrorSuite, mirrored

for name in mirrored():
    globals()[f"Test{name.title()}Mirror"] = type(f"Test{name.title()}Mirror", (MirrorSuite,), {"name": name})


def test_the_three_vendors_are_mirrored() -> None:
    assert mirrored() == ("dimilinks", "muyuhan", "tensorslab")
