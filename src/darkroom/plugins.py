"""What installed packages offer: engines, dialects and moderators, each kind under an entry point group."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache  # a look opens a file of every installed package
def entry_points(group: str) -> metadata.EntryPoints:
    """The entry points of this group."""
    return metadata.entry_points(group=group)
