"""A dataclass of many fields that nobody changes.

The type checker sees to that: frozen by Python, one takes nine times as long to make, and each task has several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["unchanged"]

if TYPE_CHECKING:
    from dataclasses import dataclass as unchanged
else:
    from dataclasses import dataclass

    def unchanged(*, frozen: bool, **options: bool) -> Any:  # noqa: ARG001 - as the type checker reads it
        """Make a dataclass as `dataclass` does, but for `frozen`."""
        return dataclass(**options)
