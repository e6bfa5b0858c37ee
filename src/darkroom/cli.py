"""The command line: `darkroom serve`, `demo`, `key`, `credit`, `audit`, `doctor`, `migrate`, `objects`, `task`, …"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import __version__
from .cli_accounts import account_app
from .cli_doctor import doctor
from .cli_keys import audit, credit_app, key_app
from .cli_migrate import migrate
from .cli_objects import objects_app
from .cli_options import Config, Data, Database, in_store, settings_from
from .config import SettingsError
from .ending import ending_at_once

if TYPE_CHECKING:
    from .client import Client
    from .new import Kind

app = typer.Typer(
    help="A self-hosted server for asynchronous image and video generation tasks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
task_app = typer.Typer(help="Tasks on a running server.", no_args_is_help=True)
webhook_app = typer.Typer(help="What webhooks were sent.", no_args_is_help=True)
review_app = typer.Typer(help="Tasks that moderation holds for a person.", no_args_is_help=True)
signing_app = typer.Typer(help="Keys that sign links to results.", no_args_is_help=True)
new_app = typer.Typer(help="A package to begin with, for a dialect or an engine of your own.", no_args_is_help=True)
app.add_typer(key_app, name="key")
app.add_typer(account_app, name="account")
app.add_typer(credit_app, name="credit")
app.add_typer(task_app, name="task")
app.add_typer(webhook_app, name="webhook")
app.add_typer(review_app, name="review")
app.add_typer(signing_app, name="signing")
app.add_typer(objects_app, name="objects")
app.add_typer(new_app, name="new")
app.command()(audit)
app.command()(doctor)
app.command()(migrate)

ServerUrl = Annotated[str, typer.Option(help="Address of the server.", envvar="DARKROOM_SERVER")]
ApiKey = Annotated[str, typer.Option(help="API key.", envvar="DARKROOM_KEY")]
PluginName = Annotated[str, typer.Argument(help="Its name: a small letter, then small letters, digits or _.")]
LOCAL = "http://127.0.0.1:8080"


def main() -> None:
    """Run a command; problems end with one clear line and status 1."""
    from .core.errors import TaskError

    with ending_at_once():
        try:
            app()
        except (SettingsError, ConnectionError, TaskError) as error:
            sys.exit(f"darkroom: {error}")


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one. Default 8080")] = None,
    data: Data = None,
    database: Database = None,
    objects: Annotated[str | None, typer.Option(help="Folder or URL of results. Default: in the data folder")] = None,
    workers: Annotated[int | None, typer.Option(help="Tasks run at once. Default: one per core; 0: none")] = None,
    engines: Annotated[str | None, typer.Option(help="Engines, with commas. Default procedural,opencv")] = None,
    config: Config = None,
) -> None:
    """Serve every dialect, and run tasks."""
    from .serve import StartError
    from .serve import serve as run

    settings = settings_from(
        config,
        host=host,
        port=port,
        data=data,
        database=database,
        objects=objects,
        workers=workers,
        engines=engines,
    )
    try:
        run(settings)
    except StartError as error:
        sys.exit(f"darkroom: {error}")


@app.command()
def worker(
    server: ServerUrl,
    token: Annotated[str, typer.Option(help="Key of the server with the scope worker.", envvar="DARKROOM_TOKEN")] = "",
    data: Data = None,
    workers: Annotated[int | None, typer.Option(help="Tasks run at once. Default: one per core")] = None,
    engines: Annotated[str | None, typer.Option(help="Engines, with commas. Default procedural,opencv")] = None,
    models: Annotated[str | None, typer.Option(help="Models, with commas. Default: all of the engines")] = None,
    labels: Annotated[str | None, typer.Option(help='What this worker has, with commas, such as "gpu=h200"')] = None,
    config: Config = None,
) -> None:
    """Run tasks for a server elsewhere."""
    from .remote import work

    settings = settings_from(
        config, data=data, workers=workers, engines=engines, worker_models=models, worker_labels=labels
    )
    work(settings, server, token)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where pictures and the contact sheet go.")] = Path("darkroom-demo"),
) -> None:
    """Start a server, and use it as three vendors' clients would."""
    from .demo import run

    run(folder)


@signing_app.command("rotate")
def signing_rotate(data: Data = None, database: Database = None, config: Config = None) -> None:
    """Sign links with a new key, two minutes from now. Links of the older keys work until they expire."""
    from .clock import utc_now
    from .signing_keys import rotate

    in_store(settings_from(config, data=data, database=database), lambda store: rotate(store, utc_now()))
    print("new links are signed with a new key in two minutes; the older ones work until they expire")


@task_app.command("list")
def task_list(
    state: Annotated[str | None, typer.Option(help="Only tasks in this state.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    server: ServerUrl = LOCAL,
    key: ApiKey = "",
) -> None:
    """List the account's tasks."""
    from itertools import islice

    with connected(server, key) as client:
        for task in islice(client.list(state=state, limit=min(limit, 100)), limit):
            print(f"{task['id']}  {task['state']:<9}  {task['progress']:>3} %  {task['operation']}  {task['model']}")


@task_app.command("show")
def task_show(task_id: str, server: ServerUrl = LOCAL, key: ApiKey = "") -> None:
    """Print one task as JSON."""
    import json

    with connected(server, key) as client:
        print(json.dumps(client.get(task_id), indent=2, ensure_ascii=False))


@task_app.command("cancel")
def task_cancel(task_id: str, server: ServerUrl = LOCAL, key: ApiKey = "") -> None:
    """Stop a task."""
    with connected(server, key) as client:
        print(client.cancel(task_id)["state"])


@task_app.command("watch")
def task_watch(task_id: str, server: ServerUrl = LOCAL, key: ApiKey = "") -> None:
    """Show a task's progress until it ends, then its results. Status 1 unless it succeeded."""
    from .watch import watch

    with connected(server, key) as client:
        task = watch(client, task_id)
    for output in task["outputs"]:
        print(output["url"])
    if task["state"] != "succeeded":
        sys.exit(f"darkroom: task {task['state']}: {(task['error'] or {}).get('message', 'no reason is known')}")


@webhook_app.command("list")
def webhook_list(
    task: Annotated[str | None, typer.Option(help="Only those of this task.")] = None,
    status: Annotated[str | None, typer.Option(help="Only those: waiting, pending, sent, skipped, failed.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    server: ServerUrl = LOCAL,
    key: ApiKey = "",
) -> None:
    """List the account's deliveries."""
    from itertools import islice

    with connected(server, key) as client:
        for found in islice(client.deliveries(task=task, status=status, limit=min(limit, 100)), limit):
            said = found["error"] or found["http_status"] or ""
            print(
                f"{found['id']}  {found['status']:<7}  {found['tries']} tries  {found['event']}  {found['url']}  {said}"
            )


@webhook_app.command("replay")
def webhook_replay(
    delivery_id: Annotated[str | None, typer.Argument()] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    server: ServerUrl = LOCAL,
    key: ApiKey = "",
) -> None:
    """Send a delivery again, or all that failed."""
    if bool(delivery_id) == failed:
        sys.exit("darkroom: name one delivery, or give --failed")
    with connected(server, key) as client:
        found = [delivery_id] if delivery_id else [each["id"] for each in client.deliveries(status="failed", limit=100)]
        for each in found:
            client.replay(each)
            print(f"sending {each} again")


@review_app.command("list")
def review_list(data: Data = None, database: Database = None, config: Config = None) -> None:
    """List held tasks, oldest first, with the files in object storage that they are about."""
    from .reviews import looked_at

    for task in in_store(settings_from(config, data=data, database=database), lambda store: store.held()):
        print(f"{task.public_id}  {task.operation}  {task.model}  account {task.account_id}")
        for line in looked_at(task):
            print(f"    {line}")


@review_app.command("approve")
def review_approve(task_id: str, data: Data = None, database: Database = None, config: Config = None) -> None:
    """Let a held task go on."""
    from .administration import COMMAND_LINE
    from .clock import utc_now
    from .reviews import approve

    settings = settings_from(config, data=data, database=database)
    in_store(settings, lambda store: approve(store, COMMAND_LINE, task_id, utc_now()))
    print(f"approved {task_id}")


@review_app.command("refuse")
def review_refuse(
    task_id: str,
    reason: Annotated[str, typer.Option(help="What its caller is told.")] = "",
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """End a held task; its credits come back, and what it made is removed."""
    from .administration import COMMAND_LINE
    from .clock import utc_now
    from .reviews import refuse
    from .storage import open_objects

    settings = settings_from(config, data=data, database=database)
    objects = open_objects(settings)
    in_store(settings, lambda store: refuse(store, objects, COMMAND_LINE, task_id, reason, utc_now()))
    print(f"refused {task_id}")


@new_app.command("dialect")
def new_dialect(name: PluginName) -> None:
    """Write ./darkroom-NAME, a dialect whose tests say what is left to do."""
    write_plugin("dialect", name)


@new_app.command("engine")
def new_engine(name: PluginName) -> None:
    """Write ./darkroom-NAME, an engine whose tests say what is left to do."""
    write_plugin("engine", name)


def write_plugin(kind: Kind, name: str) -> None:
    """Write a package, and say what to do next."""
    from .new import write

    try:
        folder = write(kind, name, Path())
    except ValueError as error:
        sys.exit(f"darkroom: {error}")
    print(f"wrote {folder}/\nnext: cd {folder} && pip install -e '.[test]' && pytest")
    print("what fails is what is left to do")


@contextmanager
def connected(server: str, key: str) -> Iterator[Client]:
    """A client; refusals and network problems become one clear line."""
    import httpx

    from .client import ApiError, Client

    if not key:
        sys.exit("darkroom: give --key, or set DARKROOM_KEY; `darkroom key create` makes one")
    if not key.isascii():
        sys.exit("darkroom: this is no API key: it has characters that no key has")
    try:
        with Client(server, key) as client:
            yield client
    except ApiError as error:
        sys.exit(f"darkroom: {error.message}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.exit(f"darkroom: cannot talk to {server}: {error}")
