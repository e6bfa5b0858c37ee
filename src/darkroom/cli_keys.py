"""The commands `darkroom key`, `darkroom credit` and `darkroom audit`.

They work on the database, beside a server that may be running; what they change is written to the audit log.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from .cli_options import MOST, Config, Data, Database, in_store, settings_from
from .config import Settings, SettingsError
from .core.access import CALLER, KeyInfo, Rules, Scope
from .core.ledger import Purse

key_app = typer.Typer(help="API keys.", no_args_is_help=True)
credit_app = typer.Typer(help="Credits of accounts.", no_args_is_help=True)

SPAN = re.compile(r"([1-9][0-9]{0,5})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LIMITS = ("requests", "tasks", "active", "spend")


def span(text: str) -> int:
    """A time span such as `90s`, `30m`, `12h` or `7d`, in milliseconds."""
    found = SPAN.fullmatch(text)
    if found is None and text != "0":
        raise SettingsError(f"{text!r} is no time span: write 90s, 30m, 12h or 7d")
    return int(found[1]) * SECONDS[found[2]] * 1000 if found else 0


def end(text: str) -> int:
    """A time span from now, or a date or time (UTC unless it says otherwise), in UTC milliseconds."""
    if SPAN.fullmatch(text):
        return int((datetime.now(UTC) + timedelta(milliseconds=span(text))).timestamp() * 1000)
    try:
        time = datetime.fromisoformat(text)
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise SettingsError(f"{text!r} is no time: write 90d, 2030-01-01 or 2030-01-01T12:00:00Z") from None


def shown(time: int | None) -> str:
    """UTC milliseconds as people read them."""
    return datetime.fromtimestamp((time or 0) / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def listed(text: str) -> tuple[str, ...]:
    """The parts of a list with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


@key_app.command("create")
def key_create(
    name: Annotated[str, typer.Option(help="Whose key this is.")] = "unnamed",
    credits: Annotated[  # noqa: A002
        int | None, typer.Option(help="Free credits of the new account. Default: initial_credits", min=0, max=MOST)
    ] = None,
    account: Annotated[str | None, typer.Option(help="Id of an account that there is. Default: a new one")] = None,
    scope: Annotated[str, typer.Option(help="What for, with commas: submit, read, admin, worker.")] = ",".join(CALLER),
    models: Annotated[str, typer.Option(help="The models that it may use, with commas. Default: all")] = "",
    ip: Annotated[str, typer.Option(help="Addresses or networks that it may come from. Default: all")] = "",
    rpm: Annotated[int, typer.Option(help="Requests a minute; status polls do not count.", min=0, max=MOST)] = 0,
    tpm: Annotated[int, typer.Option(help="Tasks a minute.", min=0, max=MOST)] = 0,
    active: Annotated[int, typer.Option(help="Unfinished tasks at once.", min=0, max=MOST)] = 0,
    spend: Annotated[int, typer.Option(help="Credits a day (UTC).", min=0, max=MOST)] = 0,
    expires: Annotated[str | None, typer.Option(help="When it ends: 90d, or 2030-01-01.")] = None,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Make a key, and print it: it is shown only here. Without --account it gets an account of its own."""
    from .administration import COMMAND_LINE, create_key
    from .clock import utc_now
    from .core.admin_commands import CreateKey

    unknown = [word for word in listed(scope) if word not in list(Scope)]
    if unknown:
        raise SettingsError(f"there is no scope {unknown[0]!r}; there are: {', '.join(Scope)}")
    settings = settings_from(config, data=data, database=database)
    rules = Rules(
        scopes=tuple(Scope(word) for word in dict.fromkeys(listed(scope))),
        models=listed(models),
        networks=listed(ip),
        requests=rpm,
        tasks=tpm,
        active=active,
        spend=spend,
        expires_at=end(expires) if expires else None,
    )
    amount = settings.initial_credits if credits is None else credits
    command = CreateKey(name=name, account_id=account, credits=amount, rules=rules)
    print(in_store(settings, lambda store: create_key(store, COMMAND_LINE, command, utc_now())).secret)


@key_app.command("list")
def key_list(data: Data = None, database: Database = None, config: Config = None) -> None:
    """List keys with their rules. Their secrets are not kept, so they cannot be shown."""
    keys = in_store(settings_from(config, data=data, database=database), lambda store: store.keys())
    for key in keys:
        print(f"{key.id}  {key.hint:<14}  {state(key):<8}  account {key.account_id}  {described(key.rules)}{key.name}")


def state(key: KeyInfo) -> str:
    """Whether a key is good."""
    from .clock import utc_now

    if key.revoked_at:
        return "revoked"
    return "expired" if key.rules.expires_at is not None and key.rules.expires_at <= utc_now() else "active"


def described(rules: Rules) -> str:
    """What a key may do, in one line; nothing for one that may do what every key may."""
    told = [] if rules.scopes == CALLER else [f"scope {','.join(rules.scopes)}"]
    told += [f"{name} {','.join(value)}" for name, value in (("models", rules.models), ("ip", rules.networks)) if value]
    told += [f"{name} {getattr(rules, name)}" for name in LIMITS if getattr(rules, name)]
    told += [f"until {shown(rules.expires_at)}"] if rules.expires_at is not None else []
    return "".join(f"{each}  " for each in told)


@key_app.command("rotate")
def key_rotate(
    key_id: str,
    grace: Annotated[
        str, typer.Option(help="How long the old secret is good beside the new one: 0, 30m, 24h.")
    ] = "24h",
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Give a key another secret, and print it: it is shown only here. Everything else of the key stays."""
    from .administration import COMMAND_LINE, rotate_key
    from .clock import utc_now
    from .core.admin_commands import RotateKey

    command = RotateKey(key_id, span(grace))
    settings = settings_from(config, data=data, database=database)
    print(in_store(settings, lambda store: rotate_key(store, COMMAND_LINE, command, utc_now())).secret)


@key_app.command("revoke")
def key_revoke(key_id: str, data: Data = None, database: Database = None, config: Config = None) -> None:
    """Refuse a key from now on."""
    from .administration import COMMAND_LINE, administer
    from .clock import utc_now
    from .core.admin_commands import RevokeKey
    from .core.errors import Code, TaskError

    settings = settings_from(config, data=data, database=database)
    try:
        in_store(settings, lambda store: administer(store, COMMAND_LINE, RevokeKey(key_id), utc_now()))
    except TaskError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        sys.exit(f"darkroom: there is no active key {key_id}; `darkroom key list` shows them")
    print(f"revoked {key_id}")


@credit_app.command("list")
def credit_list(
    account_id: Annotated[
        str | None, typer.Argument(help="An account, to list its ledger. Default: all accounts")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many lines, newest first.", min=1)] = 50,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """List accounts with their credits, or the ledger of one."""
    settings = settings_from(config, data=data, database=database)
    if account_id is None:
        for account in in_store(settings, lambda store: store.accounts()):
            purses = f"free {account.free:>6}  paid {account.paid:>6}"
            print(f"{account.id}  available {account.available:>8}  {purses}  held {account.held:>6}  {account.name}")
        return
    if in_store(settings, lambda store: store.account(account_id)) is None:
        sys.exit(f"darkroom: there is no account {account_id}; `darkroom credit list` shows them")
    for line in in_store(settings, lambda store: store.ledger(account_id, limit)):
        entry = line.entry
        amounts = f"free {entry.free:>+6}  paid {entry.paid:>+6}  held {entry.held:>+6}"
        print(f"{line.number:>8}  {shown(line.at)}  {entry.kind:<7}  {amounts}  {line.task_id or ''}".rstrip())


@credit_app.command("grant")
def credit_grant(
    account_id: str,
    amount: Annotated[int, typer.Argument(min=1, max=MOST)],
    purse: Annotated[Purse, typer.Option(help="Which purse it goes to.")] = Purse.PAID,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Give credits to an account."""
    settings = settings_from(config, data=data, database=database)
    enter(settings, account_id, amount, purse)
    print(f"granted {amount} {purse} credits to {account_id}")


@credit_app.command("take")
def credit_take(
    account_id: str,
    amount: Annotated[int, typer.Argument(min=1, max=MOST)],
    purse: Annotated[Purse, typer.Option(help="Which purse it comes from.")] = Purse.PAID,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Take credits back from an account, as far as it has them."""
    settings = settings_from(config, data=data, database=database)
    enter(settings, account_id, -amount, purse)
    print(f"took {amount} {purse} credits from {account_id}")


def enter(settings: Settings, account_id: str, amount: int, purse: Purse) -> None:
    """Write a grant or an adjustment."""
    from .administration import COMMAND_LINE, grant
    from .clock import utc_now
    from .core.admin_commands import GrantCredits
    from .core.errors import Code, TaskError

    command = GrantCredits(account_id, amount, purse)
    try:
        in_store(settings, lambda store: grant(store, COMMAND_LINE, command, utc_now()))
    except TaskError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        sys.exit(f"darkroom: there is no account {account_id}; `darkroom credit list` shows them")


def audit(
    limit: Annotated[int, typer.Option(help="How many lines, newest first.", min=1)] = 50,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """List what administrators did: keys, credits, repairs."""
    settings = settings_from(config, data=data, database=database)
    for line in in_store(settings, lambda store: store.audit(limit)):
        detail = json.dumps(line.detail, ensure_ascii=False)
        print(f"{line.number:>6}  {shown(line.at)}  {line.actor}  {line.action}  {line.subject}  {detail}")
