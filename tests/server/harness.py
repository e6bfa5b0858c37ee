"""The kit's server, under the name that these tests know it by."""

from __future__ import annotations

from darkroom.testing.server import FAKE_DEFAULTS, NO_TLS, PATIENCE, Darkroom, fetched, polls, until

__all__ = ["FAKE_DEFAULTS", "NO_TLS", "PATIENCE", "Darkroom", "fetched", "polls", "until"]
