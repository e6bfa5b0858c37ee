"""What an administrator can ask for, and the answers: as `commands`, for keys, credits, held tasks and the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .access import KeyInfo, Rules
from .ledger import Purse
from .task import Artifact, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey:
    """Make a key: of the account `account_id`, or of a new one with `credits` in its free purse."""

    name: str
    account_id: str | None = None
    credits: int = 0
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class RotateKey:
    """Give a key a new secret. The old one is good for another `grace` milliseconds."""

    key_id: str
    grace: int


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Refuse a key from now on."""

    key_id: str


@dataclass(frozen=True, slots=True)
class ListKeys:
    """Read every key."""


@dataclass(frozen=True, slots=True)
class GrantCredits:
    """Give an account credits; an amount below 0 takes them back."""

    account_id: str
    amount: int
    purse: Purse = Purse.PAID


@dataclass(frozen=True, slots=True)
class SetShare:
    """Give an account another weight in the queue, and a limit of tasks that run at once (`None`: none)."""

    account_id: str
    weight: float
    running: int | None


@dataclass(frozen=True, slots=True)
class ListAudit:
    """Read a page of what administrators did, newest first."""

    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ListReviews:
    """Read a page of the tasks that wait for a person, oldest first."""

    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Approve:
    """Let a held task go on: with its run, or with the delivery of what it made."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """End a held task; its caller is told the reason."""

    task_id: str
    reason: str = ""


ReviewCommand = ListReviews | Approve | Refuse
AdminCommand = CreateKey | RotateKey | RevokeKey | ListKeys | GrantCredits | SetShare | ListAudit


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A key that was made or rotated, and its secret, which is shown only here."""

    key: KeyInfo
    secret: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key, oldest first."""

    keys: tuple[KeyInfo, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """How an account counts in the queue: its weight, and how many of its tasks may run at once."""

    account_id: str
    weight: float
    running: int | None
    name: str = ""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """What an administrator did: `actor` did `action` to `subject`, at a time in UTC milliseconds."""

    number: int
    at: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of the audit log and where the next one starts."""

    lines: tuple[AuditLine, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Review:
    """A task that waits for a person, and what its run made, if it has had one."""

    task: Task
    made: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A page of held tasks and where the next one starts."""

    reviews: tuple[Review, ...]
    next_cursor: str | None


AdminResult = NewSecret | Keys | KeyInfo | Share | AuditPage | ReviewPage
