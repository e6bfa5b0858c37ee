"""The command `darkroom account`: how accounts share the queue. It works on the database, as `darkroom key` does."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .cli_options import MOST, Config, Data, Database, in_store, settings_from
from .core.fairness import HEAVIEST, LIGHTEST

account_app = typer.Typer(help="How accounts share the queue.", no_args_is_help=True)


@account_app.command("list")
def account_list(data: Data = None, database: Database = None, config: Config = None) -> None:
    """List accounts with their weight and how many of their tasks may run at once."""
    for share in in_store(settings_from(config, data=data, database=database), lambda store: store.shares()):
        running = "any number" if share.running is None else str(share.running)
        print(f"{share.account_id}  weight {share.weight:<6g}  running {running:<10}  {share.name}")


@account_app.command("set")
def account_set(
    account_id: str,
    weight: Annotated[
        float | None, typer.Option(help="Its share: 2 gets twice as much as 1.", min=LIGHTEST, max=HEAVIEST)
    ] = None,
    running: Annotated[
        int | None, typer.Option(help="How many of its tasks may run at once. -1: any number.", min=-1, max=MOST)
    ] = None,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Set an account's weight, its limit of running tasks, or both."""
    from .administration import COMMAND_LINE, set_share
    from .clock import utc_now
    from .core.admin_commands import SetShare

    settings = settings_from(config, data=data, database=database)
    shares = {share.account_id: share for share in in_store(settings, lambda store: store.shares())}
    if (now := shares.get(account_id)) is None:
        sys.exit(f"darkroom: there is no account {account_id}; `darkroom account list` shows them")
    command = SetShare(
        account_id,
        now.weight if weight is None else weight,
        now.running if running is None else None if running < 0 else running,
    )
    in_store(settings, lambda store: set_share(store, COMMAND_LINE, command, utc_now()))
    limit = "any number of tasks" if command.running is None else f"{command.running} tasks"
    print(f"{account_id} counts {command.weight:g}, and may run {limit} at once")
