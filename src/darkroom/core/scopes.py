"""Which scope of a key each command needs."""

from __future__ import annotations

from .access import Caller, Scope
from .commands import (
    Cancel,
    Command,
    Delete,
    Follow,
    Get,
    GetAccount,
    KeepFile,
    List,
    ListEntries,
    OperatorCommand,
    ReadAll,
    ReadResult,
    Submit,
    SubmitBatch,
)
from .errors import Code, TaskError
from .webhook_commands import WebhookCommand


def scope_of(command: Command) -> Scope | None:
    """The scope that a command needs; `None` where anybody may give it."""
    if isinstance(command, (Submit, SubmitBatch, Cancel, Delete, KeepFile, WebhookCommand)):
        return Scope.SUBMIT
    if isinstance(command, (Get, List, ReadResult, ReadAll, Follow, GetAccount, ListEntries)):
        return Scope.READ
    return Scope.ADMIN if isinstance(command, OperatorCommand) else None


def check_scope(caller: Caller, command: Command) -> None:
    """Refuse what the key is not for."""
    scope = scope_of(command)
    if scope is not None and scope not in caller.rules.scopes:
        raise TaskError(
            Code.FORBIDDEN,
            f"This needs an API key with the scope '{scope}'; this key has: {', '.join(caller.rules.scopes)}.",
        )
