"""Requests that are sent again: by their `Idempotency-Key` or, where the operator wants that, by being the same.

A repeated request is known before its inputs are fetched, so it gets its answer although a link has died or the
credits are gone. Where two come at once, the store decides which one was first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from .core.commands import Submit
from .core.errors import Code, TaskError
from .core.task import State
from .inputs import Inputs
from .store import Store
from .store.batches import Earlier

LONGEST_KEY = 255  # characters
DERIVED = "same\n"  # before keys that are derived from requests; no header can hold it


@dataclass(frozen=True, slots=True)
class Repeat:
    """By what a request is known again. With `since` (UTC milliseconds) it is no repetition of an older one."""

    key: str
    digest: str
    since: int | None


async def repeat_of(
    inputs: Inputs, commands: Sequence[Submit], key: str | None, window: int, now: int
) -> Repeat | None:
    """How to know a request of one or more tasks again; `None` where it is always a new one.

    Without a key of its caller the request counts itself, for `window` milliseconds. The window begins with the task,
    not with the clock: so it has no edge between a request and its repetition.
    """
    if key is not None:
        if not key.strip() or len(key) > LONGEST_KEY:
            message = f"An Idempotency-Key has 1 to {LONGEST_KEY} characters."
            raise TaskError(Code.INVALID_INPUT, message, param="Idempotency-Key")
        return Repeat(key, await digest_of(inputs, commands), None)
    if not window:
        return None
    digest = await digest_of(inputs, commands)
    return Repeat(DERIVED + digest, digest, now - window)


async def seen(store: Store, account_id: str, repeat: Repeat) -> Earlier | None:
    """What the request made before; `idempotency_mismatch` where its key made something else."""
    found = await store.submitted(account_id, repeat.key)
    if found is None:
        return None
    if repeat.since is not None:
        failed = found.state in (State.FAILED, State.CANCELED)
        return None if failed or found.created_at < repeat.since else found
    if found.request_digest != repeat.digest:
        raise TaskError(
            Code.IDEMPOTENCY_MISMATCH,
            "This Idempotency-Key was used for a different request. Use a new key.",
            param="Idempotency-Key",
        )
    return found


async def digest_of(inputs: Inputs, commands: Sequence[Submit]) -> str:
    """What makes two requests the same one. An upload has a new id each time: its content counts."""
    found = hashlib.sha256()
    for command in commands:
        rest = replace(command, wait=0, idempotency_key=None, inputs=(), parts=(), base_url="")
        found.update(msgspec.json.encode(rest))
        for group in command.parts or (command.inputs,):
            found.update(msgspec.json.encode([await inputs.fingerprint(source) for source in group]))
    return found.hexdigest()
