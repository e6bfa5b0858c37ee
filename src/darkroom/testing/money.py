"""Examples of results about credits and keys, for the suite of dialects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.access import KeyInfo, Rules
from ..core.admin_commands import AuditLine, AuditPage, Keys, NewSecret
from ..core.commands import EntryPage
from ..core.ledger import Line, grant, hold, settle
from .tasks import CREATED


def money_results() -> Iterator[Any]:
    """Results about credits and keys."""
    lines = tuple(Line(n, entry, "example", CREATED) for n, entry in enumerate((*hold(5, 2), *settle(5, 3, 2))))
    yield EntryPage((Line(9, grant(5), None, CREATED), *lines), "next-cursor")
    yield EntryPage((), None)
    rules = Rules(models=("example-model",), networks=("10.0.0.0/8",), spend=5, expires_at=CREATED)
    keys = (
        KeyInfo("example-key", "example-account", "sk-1…2345", "A key", CREATED, None, rules),
        KeyInfo("other-key", "example-account", "sk-1…2345", "A key", CREATED, CREATED),
    )
    yield from keys
    yield Keys(keys)
    yield NewSecret(keys[0], "sk-example")
    yield AuditPage((AuditLine(1, CREATED, "command line", "key.created", "example-key", {"name": "A"}),), None)
