"""What can go wrong with a vendor, as callers are told it.

A caller learns what to do, and nothing about the operator's business: neither which vendor it is, nor key or balance.
The vendor's own words go into `detail`, for the operator's log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from ...core.errors import Code, TaskError

SERVICE = "The service that does this work"
NOT_NOW = "This work cannot be done at the moment. Try again later; if it stays, tell the operator of this server."
CONTENT = re.compile(
    r"sensitive|moderat|polic(y|ies)|nsfw|unsafe|violat|inappropriate|敏感|违规|审核|不合规", re.IGNORECASE
)
MOST_WORDS = 500  # characters of a vendor's own words


class Trouble(StrEnum):
    """Kinds of trouble."""

    INPUT = "input"
    MEDIA = "media"
    CONTENT = "content"
    KEY = "key"
    CREDITS = "credits"
    MODEL = "model"
    BUSY = "busy"
    FAILED = "failed"
    AGAIN = "again"
    GONE = "gone"
    UNSURE = "unsure"
    RESULT = "result"
    TOO_LARGE = "too large"


# The code, the public message, and whether another try may help.
TOLD: Mapping[Trouble, tuple[Code, str, bool]] = {
    Trouble.INPUT: (
        Code.INVALID_INPUT,
        f"{SERVICE} refused it. Check the prompt, the sizes and the input files.",
        False,
    ),
    Trouble.MEDIA: (Code.INVALID_MEDIA, f"{SERVICE} cannot use an input file. Send another one.", False),
    Trouble.CONTENT: (
        Code.CONTENT_REJECTED,
        f"{SERVICE} refused the content. Change the prompt or the input files.",
        False,
    ),
    Trouble.KEY: (Code.UNAVAILABLE, NOT_NOW, False),
    Trouble.CREDITS: (Code.UNAVAILABLE, NOT_NOW, False),
    Trouble.MODEL: (Code.UNAVAILABLE, NOT_NOW, False),
    Trouble.BUSY: (Code.UNAVAILABLE, f"{SERVICE} is busy or cannot be reached. Try again later.", True),
    Trouble.FAILED: (
        Code.ENGINE_FAILED,
        f"{SERVICE} failed at it. Try again; if it stays, ask for something else.",
        False,
    ),
    Trouble.AGAIN: (Code.ENGINE_FAILED, f"{SERVICE} failed at it. Try again.", True),
    Trouble.GONE: (Code.ENGINE_FAILED, f"{SERVICE} lost the task. Submit it again.", False),
    Trouble.UNSURE: (Code.ENGINE_FAILED, f"{SERVICE} did not say whether it took the task. Submit it again.", False),
    Trouble.RESULT: (
        Code.ENGINE_FAILED,
        f"{SERVICE} delivered a result that cannot be used. Submit it again.",
        False,
    ),
    Trouble.TOO_LARGE: (
        Code.ENGINE_FAILED,
        "The result is larger than this server takes. Ask for something smaller.",
        False,
    ),
}


def trouble(kind: Trouble, words: str, retry_after: int | None = None) -> TaskError:
    """The error for a kind of trouble; `words` are for the operator alone."""
    code, message, again = TOLD[kind]
    detail = f"{kind}: {words[:MOST_WORDS]}"
    return TaskError(code, message, detail=detail, retryable=again, retry_after=retry_after)


def speaks_of_content(words: str) -> bool:
    """Whether a vendor that has no code for it says that it refused the content."""
    return bool(CONTENT.search(words))
