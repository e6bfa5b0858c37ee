"""The commands of `darkroom`, as processes: what they print, where, and with which status they end."""

from __future__ import annotations

import contextlib
import http.server
import os
import pty
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from darkroom.cli import app
from processes import PATIENCE, darkroom, environment, refused
from server.harness import Darkroom

SLOW = {"outcome": "succeed", "results": 0, "steps": 600, "step_ms": 100}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server for commands that talk to one."""
    env = {"DARKROOM_RETRY_SECONDS": "0.05"}
    with Darkroom(tmp_path_factory.mktemp("cli"), engines="fake", env=env, flags=("--workers", "2")) as running:
        yield running


def access(server: Darkroom) -> dict[str, str]:
    """What `task` commands need to reach a server."""
    return {"DARKROOM_SERVER": server.address, "DARKROOM_KEY": server.key}


def submit(server: Darkroom, **params: Any) -> str:
    body = {"operation": "image.generate", "model": "fake", "params": params}
    answer = server.client().post("/api/tasks", json=body)
    assert answer.status_code < 300, answer.text
    return str(answer.json()["id"])


# ---- help


def every_command(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from every_command(child, (*path, name))


@pytest.mark.parametrize("path", [*every_command(get_command(app))], ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_the_command_is_a_process_too() -> None:
    assert "serve" in darkroom("--help").stdout
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", darkroom("version").stdout)


def test_a_command_that_does_not_exist_is_refused_without_a_traceback() -> None:
    done = darkroom("sevre")
    assert done.returncode == 2
    assert "sevre" in done.stderr
    assert "Traceback" not in done.stderr


# ---- serve


def test_the_first_start_prints_a_key_and_a_curl_line_that_works(tmp_path: Path) -> None:
    with Darkroom(tmp_path, engines="fake") as server:
        printed = "".join(server.printed)
        line = printed[printed.index("curl ") : printed.index("darkroom ready")]
        done = subprocess.run(["bash", "-c", line], check=True, capture_output=True, text=True, timeout=PATIENCE)
        assert '"state":"succeeded"' in done.stdout
        assert printed.count(server.key) == 2  # on its own and in the line
        assert printed.splitlines()[-1] == f"darkroom ready at {server.address}"
        server.restart()
        again = server.printed[len(printed.splitlines()) :]
        assert again == [f"darkroom ready at {server.address}\n"]
        assert server.client().get("/api/account").status_code == 200
        assert server.key not in server.log


def test_a_port_in_use_is_refused_by_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("serve", "--port", port, "--data", tmp_path, "--engines", "fake")
    assert said == f"darkroom: port {port} of 127.0.0.1 is in use: stop what listens there, or choose --port\n"


def test_the_port_of_another_server_is_in_use(server: Darkroom, tmp_path: Path) -> None:
    port = server.address.rpartition(":")[2]
    assert "is in use" in refused("serve", "--port", port, "--data", tmp_path, "--engines", "fake")


def test_a_host_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    said = refused("serve", "--host", "203.0.113.1", "--port", 0, "--data", tmp_path, "--engines", "fake")
    assert said.startswith("darkroom: cannot listen on 203.0.113.1:0")


def test_a_second_server_on_the_same_data_is_refused(server: Darkroom) -> None:
    said = refused("serve", "--port", 0, "--data", server.data, "--engines", "fake")
    assert str(server.data) in said
    assert f"process {server.pid}" in said
    assert server.client().get("/api/account").status_code == 200


def test_a_killed_server_does_not_lock_its_data(tmp_path: Path) -> None:
    with Darkroom(tmp_path, engines="fake") as server:
        server.kill()
        server.start()
        assert server.client().get("/api/account").status_code == 200


def test_wrong_settings_are_all_told_on_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "darkroom.toml"
    file.write_text("prot = 1\nworkers = 5000")
    env = {"DARKROOM_LOG_LEVEL": "loud", "DARKROOM_CONFIG": str(file)}
    said = refused("serve", "--data", tmp_path, "--port", 70000, env=env)
    for problem in ("did you mean 'port'?", "workers must be", "log_level is", "port must be from 0 to 65535"):
        assert problem in said
    assert not (tmp_path / "darkroom.db").exists()


def test_a_setting_that_only_a_start_can_judge_ends_it_with_one_line(tmp_path: Path) -> None:
    said = refused("serve", "--data", tmp_path, "--port", 0, "--engines", "fake,imaginary")
    assert said.startswith("darkroom: engines: there is no engine 'imaginary'; there are: ")
    assert len(said.splitlines()) == 1
    assert "cannot listen on" in refused("serve", "--data", tmp_path, "--host", "no such host")
    assert "/dev/null/data" in refused("serve", "--data", "/dev/null/data")


def test_a_database_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "darkroom.db").write_text("These are no tables. " * 1000)
    assert "cannot open the database" in refused("serve", "--port", 0, "--data", tmp_path, "--engines", "fake")
    assert "cannot open the database" in refused("key", "list", "--data", tmp_path)


def test_commands_on_a_database_that_cannot_be_reached_say_so() -> None:
    assert "database" in refused("key", "list", "--database", "postgresql://127.0.0.1:1/none")
    assert "database" in refused("credit", "list", "--data", "/dev/null/data")


def test_the_data_folder_is_private_whoever_makes_it(server: Darkroom, tmp_path: Path) -> None:
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    darkroom("key", "create", "--data", tmp_path / "data")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


# ---- keys and credits


def test_a_new_key_is_printed_alone_and_works_at_once_beside_a_server(server: Darkroom) -> None:
    done = darkroom("key", "create", "--data", server.data, "--name", "studio", "--credits", "7")
    assert done.returncode == 0
    assert re.fullmatch(r"sk-[A-Za-z0-9]{40,}\n", done.stdout)
    account = server.client(done.stdout.strip()).get("/api/account").json()
    assert (account["name"], account["available"]) == ("studio", 7)


def test_a_list_of_keys_shows_no_key(server: Darkroom) -> None:
    key = server.new_key(name="hidden")
    listed = server.command("key", "list")
    line = next(line for line in listed.splitlines() if line.endswith("hidden"))
    assert "active" in line
    assert key not in listed
    assert server.key not in listed


def test_a_revoked_key_is_refused_within_moments(server: Darkroom) -> None:
    client = server.client(server.new_key(name="leaver"))
    assert client.get("/api/account").status_code == 200
    key_id = next(line.split()[0] for line in server.command("key", "list").splitlines() if line.endswith("leaver"))
    assert server.command("key", "revoke", key_id) == f"revoked {key_id}"
    give_up = time.monotonic() + PATIENCE
    while client.get("/api/account").status_code != 401:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert "there is no active key" in refused("key", "revoke", key_id, "--data", server.data)


def test_a_key_that_does_not_exist_cannot_be_revoked(server: Darkroom) -> None:
    assert "`darkroom key list` shows them" in refused("key", "revoke", "nobody", "--data", server.data)


def test_credits_are_granted_beside_a_server(server: Darkroom) -> None:
    client = server.client(server.new_key(name="grantee", credits=3))
    account = client.get("/api/account").json()["id"]
    assert server.command("credit", "grant", account, "40") == f"granted 40 paid credits to {account}"
    assert client.get("/api/account").json()["available"] == 43
    line = next(line for line in server.command("credit", "list").splitlines() if line.startswith(account))
    assert re.search(r"available\s+43\s+free\s+3\s+paid\s+40\s+held\s+0\s+grantee", line)


def test_credits_for_nobody_are_refused(server: Darkroom) -> None:
    assert "there is no account nobody" in refused("credit", "grant", "nobody", "5", "--data", server.data)


@pytest.mark.parametrize("amount", ["0", "-5", "9" * 30])
def test_an_amount_that_makes_no_sense_is_refused(server: Darkroom, amount: str) -> None:
    for command in (
        ("credit", "grant", "--data", server.data, "--", "nobody", amount),
        ("key", "create", "--credits", amount),
    ):
        if command[0] == "key" and amount == "0":
            continue
        done = darkroom(*command, env={"DARKROOM_DATA": str(server.data)})
        assert done.returncode == 2
        assert "Invalid value" in done.stderr
        assert "Traceback" not in done.stderr


# ---- tasks


def test_tasks_are_listed_newest_first(server: Darkroom) -> None:
    key = server.new_key(name="lister")
    client = server.client(key)
    body = {"operation": "image.generate", "model": "fake", "params": {"results": 0}}
    ids = [client.post("/api/tasks?wait=10", json=body).json()["id"] for _ in range(3)]
    env = access(server) | {"DARKROOM_KEY": key}
    listed = darkroom("task", "list", env=env).stdout.splitlines()
    assert [line.split()[0] for line in listed] == ids[::-1]
    assert re.search(r"succeeded\s+100 %\s+image.generate\s+fake$", listed[0])
    assert len(darkroom("task", "list", "--limit", 2, env=env).stdout.splitlines()) == 2
    assert darkroom("task", "list", "--state", "failed", env=env).stdout == ""
    assert "'state' is one of" in refused("task", "list", "--state", "odd", env=env)
    assert darkroom("task", "list", "--limit", 0, env=env).returncode == 2


def test_a_task_is_shown_as_json(server: Darkroom) -> None:
    task_id = submit(server, results=0)
    shown = darkroom("task", "show", task_id, env=access(server)).stdout
    assert httpx.Response(200, text=shown).json()["id"] == task_id


@pytest.mark.parametrize(
    ("command", "task_id"),
    [("watch", "nothing"), ("cancel", "nothing"), *(("show", odd) for odd in ("../account", "a/b", "ü", "x" * 5000))],
)
def test_a_task_that_does_not_exist_is_refused(server: Darkroom, command: str, task_id: str) -> None:
    assert refused("task", command, task_id, env=access(server)).startswith("darkroom: ")


def test_a_running_task_is_canceled(server: Darkroom) -> None:
    task_id = submit(server, **SLOW)
    assert darkroom("task", "cancel", task_id, env=access(server)).stdout == "canceled\n"
    assert "has already" not in darkroom("task", "show", task_id, env=access(server)).stdout


def test_watching_ends_with_the_task_and_prints_links_that_work(server: Darkroom) -> None:
    task_id = submit(server, results=2, steps=5, step_ms=50)
    done = darkroom("task", "watch", task_id, env=access(server))
    assert done.returncode == 0, done.stderr
    links = done.stdout.splitlines()
    assert len(links) == 2
    for link in links:
        assert httpx.get(link, trust_env=False, timeout=PATIENCE).content.startswith(b"\x89PNG")


def test_watching_a_task_that_fails_ends_with_status_1_and_the_reason(server: Darkroom) -> None:
    done = darkroom("task", "watch", submit(server, outcome="fail"), env=access(server))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("darkroom: task failed: The fake engine failed")


def test_watching_a_canceled_task_ends_with_status_1(server: Darkroom) -> None:
    task_id = submit(server, **SLOW)
    server.client().post(f"/api/tasks/{task_id}/cancel")
    done = darkroom("task", "watch", task_id, env=access(server))
    assert done.returncode == 1
    assert "darkroom: task canceled: " in done.stderr


def test_a_terminal_shows_a_bar_while_the_task_runs(server: Darkroom) -> None:
    task_id = submit(server, **SLOW)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "darkroom", "task", "watch", task_id],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(access(server) | {"TERM": "xterm-256color", "COLUMNS": "80"}),
        text=True,
    )
    os.close(theirs)
    shown = b""
    while not re.search(rb"\b[1-9]\d* %", shown):  # it moves
        shown += os.read(ours, 65536)
    server.client().post(f"/api/tasks/{task_id}/cancel").raise_for_status()
    with contextlib.suppress(OSError):  # how a pseudo-terminal says that its other side is closed
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    assert process.communicate(timeout=PATIENCE) == ("", None)
    assert process.returncode == 1
    assert b"\x1b[" in shown
    percents = [int(number) for number in re.findall(rb"(\d+) %", shown)]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)
    assert b"running" in shown
    assert b"darkroom: task canceled: " in shown


@pytest.mark.parametrize("command", [("list",), ("watch", "x")], ids=" ".join)
def test_without_a_key_it_says_where_to_get_one(command: tuple[str, ...]) -> None:
    assert "`darkroom key create` makes one" in refused("task", *command)


@pytest.mark.parametrize("key", ["sk-wrong", "ключ", "a\nb"])
def test_a_wrong_key_is_refused(server: Darkroom, key: str) -> None:
    said = refused("task", "list", "--server", server.address, "--key", key)
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "127.0.0.1:8080", "http://[::", "http://no.such.host.invalid", "ftp://x"]
)
def test_a_server_that_cannot_be_reached_is_named(address: str) -> None:
    said = refused("task", "list", "--server", address, "--key", "sk-x")
    assert f"cannot talk to {address}" in said


@pytest.mark.parametrize("status", [200, 302, 500])
def test_a_server_that_is_something_else_is_no_crash(status: int) -> None:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        said = refused("task", "list", "--server", f"http://127.0.0.1:{other.server_port}", "--key", "sk-x")
        other.shutdown()
    assert said == f"darkroom: unexpected answer with HTTP status {status}\n"
