"""Secrets that were planted everywhere, and are looked for in everything that a server writes or shows."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import Darkroom, until
from samples import png
from vendors import answered

from darkroom.config import Settings
from darkroom.testing.processes import descendants
from marks.authority import make
from processes import refused

GENERATE = {"operation": "image.generate"}
METRICS_KEY = "canary-metrics-4711"
CLOUD = "canary-cloud-4711"
PASSWORD = "canary-password-4711"
CANARY = "canary-of-a-caller-4711"


def everything_but_the_database(server: Darkroom) -> dict[str, bytes]:
    """The log, what was printed after the start, and each file of the data folder."""
    files = {str(path): path.read_bytes() for path in server.data.rglob("*") if path.is_file()}
    shown = {name: content for name, content in files.items() if "darkroom.db" not in name}
    assert len(shown) >= 3  # results and inputs are among them
    later = server.printed[[line.startswith("darkroom ready") for line in server.printed].index(True) :]
    return shown | {"log": server.log.encode(), "printed": "".join(later).encode()}


def seen_by_others(pid: int) -> dict[str, bytes]:
    """Command line and environment of a server's children, and its own command line."""
    found = {f"{pid}/cmdline": Path(f"/proc/{pid}/cmdline").read_bytes()}
    for child in descendants(pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            for name in ("cmdline", "environ"):
                found[f"{child}/{name}"] = Path(f"/proc/{child}/{name}").read_bytes()
    assert len(found) > 1
    return found


def signing_secrets(server: Darkroom) -> list[str]:
    with closing(sqlite3.connect(server.data / "darkroom.db")) as database:
        return [secret for (secret,) in database.execute("SELECT secret FROM signing_key")]


def test_no_secret_leaves_the_server(tmp_path: Path) -> None:
    signer = make(tmp_path / "authority").issue()
    env = {
        "DARKROOM_LOG_LEVEL": "debug",
        "DARKROOM_METRICS_KEY": METRICS_KEY,
        "DARKROOM_C2PA_KEY": str(signer.key),
        "DARKROOM_C2PA_CHAIN": str(signer.chain),
        "AWS_SECRET_ACCESS_KEY": CLOUD,
        "SOME_SERVICE_TOKEN": CLOUD,
    }
    with Darkroom(tmp_path, engines="fake,opencv", env=env) as server:
        bodies: list[bytes] = []

        def ask(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
            response = client.request(method, path, **options)
            bodies.append(response.content + str(response.headers).encode())
            return response

        client, wrong = server.client(), server.client(f"sk-{CANARY}")
        ask(client, "POST", "/api/files", files={"file": png(64, 48)})
        for prompt in ("a lake", "fake:fail", "fake:crash"):
            made = ask(client, "POST", "/api/tasks?wait=20", json={**GENERATE, "params": {"prompt": prompt}})
            ask(client, "GET", f"/api/tasks/{answered(made)['id']}")
        link = f"http://127.0.0.1:9/picture.png?signature={CANARY}"
        ask(client, "POST", "/api/tasks", json={"operation": "image.filter", "inputs": [{"url": link}]})
        for path in ("/api/tasks", "/v1/images/infobytaskid", "/getTaskInfo", "/api/nowhere"):
            ask(wrong, "POST", path, content=b"{")
            ask(client, "POST", path, content=b"\x00" * 100)
        ask(client, "GET", "/metrics", headers={"Authorization": f"Bearer {METRICS_KEY}"})
        ask(client, "GET", "/metrics", headers={"Authorization": f"Bearer {CANARY}", "Via": "x"})

        key_lines = signer.key.read_text().splitlines()
        secrets = [server.key, METRICS_KEY, CLOUD, *signing_secrets(server), key_lines[1], CANARY]
        assert all(len(secret) > 8 for secret in secrets)
        places = everything_but_the_database(server) | seen_by_others(server.pid)
        places |= {f"answer {number}": body for number, body in enumerate(bodies)}
        found = [(name, secret) for name, content in places.items() for secret in secrets if secret.encode() in content]
        assert found == []
        database = b"".join(path.read_bytes() for path in server.data.glob("darkroom.db*"))
        for secret in (server.key, METRICS_KEY, key_lines[1]):
            assert secret.encode() not in database
        limits = Path(f"/proc/{server.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 ", limits)


def test_the_key_of_a_caller_is_not_in_the_log_when_the_database_is_away(tmp_path: Path) -> None:
    with Darkroom(tmp_path, engines="fake", flags=("--workers", "0")) as server:
        client = server.client()
        with closing(sqlite3.connect(server.data / "darkroom.db", isolation_level=None)) as other:
            other.execute("ALTER TABLE task RENAME TO gone")  # so that the server meets a bug
            response = client.get("/api/tasks", headers={"Authorization": f"Bearer {server.key}"})
            assert response.status_code == 500
            other.execute("ALTER TABLE gone RENAME TO task")
        told = until(lambda: [each for each in map(json.loads, server.log.splitlines()) if "trace" in each])
        (line,) = [each for each in told if each["event"] == "request.failed"]  # the janitor may have met it too
        assert "Traceback" in line["trace"]
        assert server.key not in server.log
        assert "sqlite" not in response.text.lower()


WRONG = [
    f"postgresql://user:{PASSWORD}@127.0.0.1:1/name",
    f"postgresql://user:{PASSWORD}@no-such-host.invalid/name",
    f"postgresql://user:{PASSWORD}@127.0.0.1:port/name",
    f"postgresql://user:{PASSWORD}/more@127.0.0.1:1/name",
    f"postgresql://user:{PASSWORD}#more@127.0.0.1:1/name",
    f"postgresql://user:{PASSWORD}?more@127.0.0.1:1/name",
    f"postgresql://user:{PASSWORD}@127.0.0.1:1/name?sslmode=perhaps",
    f"postgresql://user:{PASSWORD}@[::1/name",
    f"mysql://user:{PASSWORD}@127.0.0.1/name",
    f"{PASSWORD}",
]


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_database_url_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    said = refused("serve", "--data", tmp_path, "--port", "0", env={"DARKROOM_DATABASE": url})
    assert "database" in said
    assert PASSWORD not in said


def test_settings_that_are_shown_show_no_secret() -> None:
    settings = Settings(
        database=f"postgresql://user:{PASSWORD}@127.0.0.1/name",
        metrics_key=PASSWORD,
        engine={"vendor": {"key": PASSWORD}},
        dialect={"vendor": {"key": PASSWORD}},
    )
    assert PASSWORD not in repr(settings)
    assert PASSWORD not in str(settings)
    assert PASSWORD in settings.database


def test_the_data_folder_is_its_owners(tmp_path: Path) -> None:
    with Darkroom(tmp_path, engines="fake", flags=("--workers", "0")) as server:
        assert server.data.stat().st_mode & 0o077 == 0
