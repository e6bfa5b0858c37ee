"""The journeys of the kit in the words of every vendor: clients get from their submit to their pictures."""

from __future__ import annotations

from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, VENDORS

from darkroom.dialects import discover
from darkroom.testing.journeys import JourneySuite

DIALECTS = {dialect.name: dialect for dialect in discover()}


class TestNative(JourneySuite):
    dialect, journey, others = DIALECTS["native"], NATIVE, VENDORS


class TestTensorslab(JourneySuite):
    dialect, journey = DIALECTS["tensorslab"], TENSORSLAB


class TestDimilinks(JourneySuite):
    dialect, journey = DIALECTS["dimilinks"], DIMILINKS


class TestMuyuhan(JourneySuite):
    dialect, journey = DIALECTS["muyuhan"], MUYUHAN


def test_every_dialect_has_a_journey() -> None:
    assert {journey.name for journey in VENDORS} == set(DIALECTS)
