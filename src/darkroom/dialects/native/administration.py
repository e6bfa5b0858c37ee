"""For keys with the scope `admin`: keys, credits, and the log of what administrators did."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...core.access import CALLER, MOST, KeyInfo, Rules, Scope
from ...core.admin_commands import (
    AuditPage,
    CreateKey,
    GrantCredits,
    Keys,
    ListAudit,
    ListKeys,
    NewSecret,
    RevokeKey,
    RotateKey,
    SetShare,
    Share,
)
from ...core.commands import Command
from ...core.fairness import HEAVIEST, LIGHTEST
from ...core.ledger import Purse
from .. import Endpoint, WireRequest, WireResponse, answer
from .money import AccountView, encode_account
from .paging import page_of, page_query
from .shapes import milliseconds, rfc3339

GRACE = 86_400  # seconds that a rotated key's old secret is good
MOST_GRACE = 366 * 86_400

Limit = Annotated[int, Meta(ge=0, le=MOST)]


class KeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """A key to make. Limits of 0 and empty lists allow all."""

    name: Annotated[str, Meta(description="Whose key this is.", min_length=1, max_length=200, examples=["studio"])]
    account: Annotated[str | None, Meta(description="Id of the account; a new one without it.")] = None
    credits: Annotated[Limit, Meta(description="Free credits of the new account.")] = 0
    scopes: Annotated[list[Scope], Meta(description="What the key is for.", min_length=1)] = msgspec.field(
        default_factory=lambda: list(CALLER)
    )
    models: Annotated[list[str], Meta(description="The models that it may use.")] = []
    networks: Annotated[
        list[str], Meta(description="The addresses that it may come from.", examples=[["203.0.113.0/24"]])
    ] = []
    requests: Annotated[Limit, Meta(description="Requests a minute; status polls do not count.")] = 0
    tasks: Annotated[Limit, Meta(description="Tasks a minute.")] = 0
    active: Annotated[Limit, Meta(description="Unfinished tasks at once.")] = 0
    spend: Annotated[Limit, Meta(description="Credits a day (UTC).")] = 0
    expires_at: Annotated[
        str | None, Meta(description="RFC 3339, with its offset.", examples=["2030-01-01T00:00:00Z"])
    ] = None


class RotateBody(msgspec.Struct, forbid_unknown_fields=True):
    """How long the old secret is good beside the new one."""

    grace_seconds: Annotated[int, Meta(ge=0, le=MOST_GRACE, description="A day without it.")] = GRACE


class CreditsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Credits to give, or below 0 to take back."""

    amount: Annotated[int, Meta(ge=-MOST, le=MOST, examples=[100])]
    purse: Annotated[Purse, Meta(description="free or paid.")] = Purse.PAID


class ShareBody(msgspec.Struct, forbid_unknown_fields=True):
    """How an account counts; what is left out is as usual."""

    weight: Annotated[
        float,
        Meta(ge=LIGHTEST, le=HEAVIEST, description="Its share among accounts that wait: 2 gets twice as much as 1."),
    ] = 1.0
    running: Annotated[Limit | None, Meta(description="How many of its tasks may run at once; null: any number.")] = (
        None
    )


class ShareView(msgspec.Struct):
    """How an account counts."""

    account: str
    weight: float
    running: int | None


class KeyView(msgspec.Struct):
    """A key without its secret."""

    id: str
    account: str
    hint: Annotated[str, Meta(description="The part of it that may be shown.")]
    name: str
    scopes: list[str]
    models: list[str]
    networks: list[str]
    requests: int
    tasks: int
    active: int
    spend: int
    expires_at: str | None
    created_at: str
    revoked_at: str | None


class SecretView(KeyView):
    """A key and its secret, which is shown only here."""

    key: str


class KeysView(msgspec.Struct):
    """Every key, oldest first."""

    items: list[KeyView]


class AuditView(msgspec.Struct):
    """What an administrator did."""

    id: int
    at: str
    actor: Annotated[str, Meta(description="Who did it.", examples=["command line"])]
    action: Annotated[str, Meta(examples=["key.created"])]
    subject: Annotated[str, Meta(description="Id of what it was done to.")]
    detail: dict[str, Any]


class AuditsView(msgspec.Struct):
    """A page of the audit log, newest first."""

    items: list[AuditView]
    next_cursor: str | None


def create(request: WireRequest) -> Command:
    """Make a key."""
    body = request.json(KeyBody)
    return CreateKey(
        name=body.name,
        account_id=body.account,
        credits=body.credits,
        rules=Rules(
            scopes=tuple(dict.fromkeys(body.scopes)),
            models=tuple(body.models),
            networks=tuple(body.networks),
            requests=body.requests,
            tasks=body.tasks,
            active=body.active,
            spend=body.spend,
            expires_at=milliseconds(body.expires_at, "expires_at"),
        ),
    )


def rotate(request: WireRequest) -> Command:
    """Give a key another secret."""
    body = request.json(RotateBody) if request.body else RotateBody()
    return RotateKey(request.params["id"], body.grace_seconds * 1000)


def credit(request: WireRequest) -> Command:
    """Give an account credits."""
    body = request.json(CreditsBody)
    return GrantCredits(request.params["id"], body.amount, body.purse)


def share(request: WireRequest) -> Command:
    """Give an account another share."""
    body = request.json(ShareBody)
    return SetShare(request.params["id"], body.weight, body.running)


def encode_share(made: Share, _request: WireRequest) -> WireResponse:
    """Answer with an account's share."""
    return answer(ShareView(made.account_id, made.weight, made.running))


def fields(key: KeyInfo) -> dict[str, Any]:
    """What may be known of a key."""
    rules = key.rules
    return {
        "id": key.id,
        "account": key.account_id,
        "hint": key.hint,
        "name": key.name,
        "scopes": list(rules.scopes),
        "models": list(rules.models),
        "networks": list(rules.networks),
        "requests": rules.requests,
        "tasks": rules.tasks,
        "active": rules.active,
        "spend": rules.spend,
        "expires_at": rfc3339(rules.expires_at),
        "created_at": rfc3339(key.created_at) or "",
        "revoked_at": rfc3339(key.revoked_at),
    }


def encode_secret(made: NewSecret, request: WireRequest) -> WireResponse:
    """Answer with a key and its secret."""
    return answer(SecretView(**fields(made.key), key=made.secret), 201 if request.path == "/keys" else 200)


def encode_key(key: KeyInfo, _request: WireRequest) -> WireResponse:
    """Answer with a key."""
    return answer(KeyView(**fields(key)))


def encode_keys(found: Keys, _request: WireRequest) -> WireResponse:
    """Answer with every key."""
    return answer(KeysView([KeyView(**fields(key)) for key in found.keys]))


def encode_audit(page: AuditPage, _request: WireRequest) -> WireResponse:
    """Answer with a page of the audit log."""
    lines = [
        AuditView(line.number, rfc3339(line.at) or "", line.actor, line.action, line.subject, dict(line.detail))
        for line in page.lines
    ]
    return answer(AuditsView(lines, page.next_cursor))


ADMINISTRATION = (
    Endpoint(
        method="POST",
        path="/keys",
        decode=create,
        encode=encode_secret,
        request=KeyBody,
        response=SecretView,
        status=201,
        summary="Make a key",
        description="Needs a key with the scope `admin`, as everything about keys, credits and the audit log does.",
    ),
    Endpoint(
        method="GET",
        path="/keys",
        decode=lambda _: ListKeys(),
        encode=encode_keys,
        response=KeysView,
        summary="List keys",
    ),
    Endpoint(
        method="POST",
        path="/keys/{id}/rotate",
        decode=rotate,
        encode=encode_secret,
        request=RotateBody,
        response=SecretView,
        summary="Give a key another secret",
    ),
    Endpoint(
        method="DELETE",
        path="/keys/{id}",
        decode=lambda request: RevokeKey(request.params["id"]),
        encode=encode_key,
        response=KeyView,
        summary="Revoke a key",
    ),
    Endpoint(
        method="POST",
        path="/accounts/{id}/credits",
        decode=credit,
        encode=encode_account,
        request=CreditsBody,
        response=AccountView,
        summary="Give credits",
    ),
    Endpoint(
        method="POST",
        path="/accounts/{id}/share",
        decode=share,
        encode=encode_share,
        request=ShareBody,
        response=ShareView,
        summary="Set an account's share",
        description="Its weight against other accounts in the queue, and how many of its tasks may run at once.",
    ),
    Endpoint(
        method="GET",
        path="/audit",
        decode=lambda request: ListAudit(*page_of(request)),
        encode=encode_audit,
        response=AuditsView,
        query=page_query(),
        summary="List what administrators did",
    ),
)
