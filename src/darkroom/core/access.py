"""What a key may do: its scopes, the models and addresses it is for, and its limits.

Pure: who asks, from where and when is told by the caller of these functions.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum

from .errors import Code, TaskError

DAY = 86_400_000  # milliseconds
MOST = 10**15  # that a limit may be
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Scope(StrEnum):
    """What a key is for. None implies another."""

    SUBMIT = "submit"
    READ = "read"
    ADMIN = "admin"
    WORKER = "worker"


CALLER = (Scope.SUBMIT, Scope.READ)  # of a key of which nothing else was said


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a key may do. Empty `models` and `networks` mean all, a limit of 0 means none.

    `requests` and `tasks` are a minute, `active` counts unfinished tasks, `spend` is in credits a day (UTC),
    `expires_at` in UTC milliseconds.
    """

    scopes: tuple[Scope, ...] = CALLER
    models: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    requests: int = 0
    tasks: int = 0
    active: int = 0
    spend: int = 0
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """An API key without its secret. `hint` is the part of it that may be shown. Times in UTC milliseconds."""

    id: str
    account_id: str
    hint: str
    name: str
    created_at: int
    revoked_at: int | None
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an account, by one of its keys."""

    account_id: str
    key_id: str
    rules: Rules

    @property
    def limited(self) -> bool:
        """Whether a submit has to look at what the key's other tasks do and cost."""
        return bool(self.rules.active or self.rules.spend)


def check_expiry(caller: Caller, now: int) -> None:
    """Refuse a key whose time is over."""
    if caller.rules.expires_at is not None and caller.rules.expires_at <= now:
        raise TaskError(Code.INVALID_KEY, "The API key has expired. Ask the operator for a new one.")


def check_rules(rules: Rules) -> None:
    """Refuse rules that no key can have, with `invalid_input`."""
    for name, value in (
        ("requests", rules.requests),
        ("tasks", rules.tasks),
        ("active", rules.active),
        ("spend", rules.spend),
    ):
        if not 0 <= value <= MOST:
            raise TaskError(Code.INVALID_INPUT, f"'{name}' must be from 0 (no limit) to {MOST}.", param=name)
    if not rules.scopes:
        raise TaskError(Code.INVALID_INPUT, f"A key needs a scope: {', '.join(Scope)}.", param="scopes")
    try:
        networks(rules.networks)
    except ValueError as error:
        raise TaskError(
            Code.INVALID_INPUT,
            f"'networks' takes addresses such as 10.1.2.3 or 10.1.0.0/16: {error}.",
            param="networks",
        ) from None


def check_model(caller: Caller, model: str) -> None:
    """Refuse a model that the key is not for."""
    if caller.rules.models and model not in caller.rules.models:
        names = ", ".join(caller.rules.models)
        raise TaskError(
            Code.FORBIDDEN, f"This API key may not use the model '{model}'. It may use: {names}.", param="model"
        )


def check_address(caller: Caller, address: str) -> None:
    """Refuse a request from elsewhere than the key is for."""
    if caller.rules.networks and not within(address, networks(caller.rules.networks)):
        raise TaskError(Code.FORBIDDEN, f"This API key may not be used from the address {address or 'unknown'}.")


def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Networks such as `10.1.0.0/16`, or single addresses; `ValueError` for anything else."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def within(address: str, allowed: tuple[Network, ...]) -> bool:
    """Whether an address lies in one of the networks."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in allowed)


def check_active(rules: Rules, active: int, wanted: int) -> None:
    """Refuse tasks beyond those that may be unfinished at once."""
    if rules.active and active + wanted > rules.active:
        raise TaskError(
            Code.RATE_LIMITED,
            f"This API key may have {rules.active} unfinished tasks; it has {active}, and this request makes {wanted}."
            " Wait until some are finished.",
            retryable=True,
            retry_after=5,
        )


def check_spend(rules: Rules, spent: int, price: int, now: int) -> None:
    """Refuse what would cost more than the key may spend on this day (UTC)."""
    if rules.spend and price and spent + price > rules.spend:
        left = max(0, rules.spend - spent)
        raise TaskError(
            Code.RATE_LIMITED,
            f"This API key may spend {rules.spend} credits a day; {left} are left today (UTC), and this request costs"
            f" {price}.",
            retry_after=(DAY - now % DAY) // 1000 + 1,
        )
