"""Tasks that start later, and how accounts share the queue, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from harness import Darkroom
from vendors import answered


def at(**ahead: float) -> str:
    """A time ahead, as the API spells it."""
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def asked(client: httpx.Client, **fields: Any) -> httpx.Response:
    return client.post("/api/tasks", json={"operation": "image.generate", **fields})


@pytest.fixture
def caller(server: Darkroom) -> httpx.Client:
    """A client whose account has no tasks yet."""
    return server.client(server.new_key(name="later", credits=100))


def test_a_task_waits_for_its_start_and_says_so(caller: httpx.Client) -> None:
    start, deadline = at(hours=1), at(hours=2)
    task = answered(asked(caller, start_at=start, deadline=deadline))
    assert (task["state"], task["waiting_for"], task["position"]) == ("queued", "start", None)
    assert (task["start_at"], task["deadline"]) == (start, deadline)
    assert answered(caller.post(f"/api/tasks/{task['id']}/cancel"))["state"] == "canceled"


def test_a_task_runs_when_its_start_has_come(caller: httpx.Client) -> None:
    start = at(seconds=6.5)
    task = answered(asked(caller, start_at=start))
    done = answered(caller.get(f"/api/tasks/{task['id']}", params={"wait": 50}))
    assert done["state"] == "succeeded"
    assert done["started_at"] >= start


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"start_at": at(seconds=-5)}, "start_at"),
        ({"start_at": at(days=31)}, "start_at"),
        ({"start_at": "tomorrow"}, "start_at"),
        ({"start_at": "2030-01-01T00:00:00"}, "start_at"),
        ({"deadline": at(seconds=-5)}, "deadline"),
        ({"deadline": at(days=2)}, "deadline"),
        ({"start_at": at(hours=5), "deadline": at(hours=4)}, "deadline"),
    ],
)
def test_times_that_cannot_be_are_refused_by_name(caller: httpx.Client, fields: dict[str, str], param: str) -> None:
    response = asked(caller, **fields)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_input", param)


def test_a_deadline_that_passes_fails_the_task(caller: httpx.Client) -> None:
    task = answered(asked(caller, model="fake", deadline=at(seconds=6.5), params={"steps": 100, "step_ms": 500}))
    done = answered(caller.get(f"/api/tasks/{task['id']}", params={"wait": 50}))
    assert (done["state"], done["error"]["code"]) == ("failed", "timed_out")


def test_an_account_with_a_limit_runs_no_more_and_its_other_tasks_say_so(
    server: Darkroom, caller: httpx.Client
) -> None:
    account = answered(caller.get("/api/account"))["id"]
    admin = server.client(server.command("key", "create", "--scope", "admin"))
    share = admin.post(f"/api/accounts/{account}/share", json={"weight": 2.5, "running": 0})
    assert answered(share) == {"account": account, "weight": 2.5, "running": 0}
    task = answered(asked(caller))
    assert (task["state"], task["waiting_for"], task["position"]) == ("queued", "limit", 1)
    answered(admin.post(f"/api/accounts/{account}/share", json={}))
    assert answered(caller.get(f"/api/tasks/{task['id']}", params={"wait": 50}))["state"] == "succeeded"
    assert admin.post(f"/api/accounts/{account}/share", json={"weight": 0}).status_code == 400
    assert admin.post("/api/accounts/nobody/share", json={}).status_code == 404
    assert caller.post(f"/api/accounts/{account}/share", json={}).status_code == 403
    assert "share.set" in {line["action"] for line in answered(admin.get("/api/audit"))["items"]}
