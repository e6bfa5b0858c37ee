"""The commands about keys, credits and the doctor, as processes beside a server."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator

import pytest

from darkroom.testing.server import Darkroom
from processes import darkroom, refused


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server that only answers requests."""
    with Darkroom(tmp_path_factory.mktemp("keys"), engines="fake", flags=("--workers", "0")) as running:
        yield running


def test_money_and_keys_are_administered_beside_a_server(server: Darkroom) -> None:
    made = server.command(
        *("key", "create", "--name", "ruled", "--credits", "5", "--scope", "read", "--ip", "127.0.0.1,10.0.0.0/8"),
        *("--models", "fake", "--rpm", "60", "--tpm", "9", "--active", "3", "--spend", "20", "--expires", "90d"),
    )
    account = server.client(made).get("/api/account").json()["id"]
    line = next(line for line in server.command("key", "list").splitlines() if line.endswith("ruled"))
    for rule in (
        "scope read",
        "models fake",
        "ip 127.0.0.1,10.0.0.0/8",
        "requests 60",
        "active 3",
        "spend 20",
        "until 2",
    ):
        assert rule in line
    rotated = server.command("key", "rotate", line.split()[0], "--grace", "0")
    assert server.client(rotated).get("/api/account").status_code == 200
    second = server.command("key", "create", "--name", "second", "--account", account)
    assert server.client(second).get("/api/account").json()["id"] == account
    server.command("credit", "grant", account, "7", "--purse", "paid")
    assert server.command("credit", "take", account, "2") == f"took 2 paid credits from {account}"
    kinds = [line.split()[3] for line in server.command("credit", "list", account).splitlines()]
    assert kinds == ["adjust", "grant", "grant"]
    actions = [line.split("  ")[-3] for line in server.command("audit", "--limit", "5").splitlines()]
    assert actions == ["credits.adjusted", "credits.granted", "key.created", "key.rotated", "key.created"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--scope", "everything"), "no scope 'everything'"),
        (("--ip", "example.com"), "10.1.0.0/16"),
        (("--expires", "soon"), "'soon' is no time"),
        (("--account", "nobody"), "no account nobody"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(server: Darkroom, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in refused("key", "create", *arguments, "--data", server.data)


def test_the_doctor_reports_with_its_status_and_repairs(server: Darkroom) -> None:
    account = server.client(server.new_key(name="patient", credits=9)).get("/api/account").json()["id"]
    assert server.command("doctor").endswith("everything agrees")
    with contextlib.closing(sqlite3.connect(server.data / "darkroom.db")) as database:
        database.execute("UPDATE account SET free = 1000 WHERE id = ?", (account,))
        database.commit()
    done = darkroom("doctor", "--data", server.data)
    assert (done.returncode, "--repair" in done.stderr) == (1, True)
    assert re.search(rf"^problem\s+balances\s+1\s.*{account}$", done.stdout, re.MULTILINE)
    assert re.search(rf"^repaired\s+balances\s+1\s.*{account}$", server.command("doctor", "--repair"), re.MULTILINE)
    assert server.command("doctor").endswith("everything agrees")


def test_an_accounts_share_is_set_in_parts_and_listed(server: Darkroom) -> None:
    account = server.client(server.command("key", "create", "--name", "sharer")).get("/api/account").json()["id"]
    assert server.command("account", "set", account, "--weight", "2", "--running", "3").startswith(account)
    assert "counts 2, and may run any number" in server.command("account", "set", account, "--running", "-1")
    line = next(line for line in server.command("account", "list").splitlines() if line.startswith(account))
    assert "weight 2" in line
    assert "any number" in line
