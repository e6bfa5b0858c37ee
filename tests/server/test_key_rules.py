"""What keys may do, over a real server, in the words of each dialect: scopes, lists, limits, ends and rotation."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from harness import Darkroom, unsigned, until
from samples import png
from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, VENDORS, Vendor

from darkroom.testing.journeys import answered, ask, until_final

EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
FORBIDDEN = {
    "native": "403 forbidden",
    "tensorslab": "403 9999",
    "dimilinks": "403 model_not_allowed",
    "muyuhan": "200 401",
}
LIMITED = {
    "native": "429 rate_limited",
    "tensorslab": "429 9999",
    "dimilinks": "429 rate_limit_rpm",
    "muyuhan": "200 510",
}

NewKey = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def admin_key(each_server: Darkroom) -> str:
    return each_server.command("key", "create", "--name", "operator", "--scope", "admin")


@pytest.fixture
def admin(each_server: Darkroom, admin_key: str) -> httpx.Client:
    return each_server.client(admin_key)


@pytest.fixture
def new_key(admin: httpx.Client) -> NewKey:
    """A key with rules, of an account of its own with 1000 credits unless told otherwise."""

    def make(**rules: Any) -> dict[str, Any]:
        body: dict[str, Any] = answered(admin.post("/api/keys", json={"name": "caller", "credits": 1000} | rules))
        return body

    return make


def limited(vendor: Vendor, response: httpx.Response) -> int:
    """The seconds after which a refusal because of a limit says that one may come again."""
    assert vendor.refused(response) == LIMITED[vendor.name]
    return int(response.headers["retry-after"])


@EACH_VENDOR
def test_a_key_without_the_scope_is_refused(each_server: Darkroom, new_key: NewKey, vendor: Vendor) -> None:
    made = new_key(scopes=["submit"])
    submits = each_server.client(made["key"])
    reads = each_server.client(new_key(scopes=["read"], account=made["account"])["key"])
    task_id = vendor.made(submits, "a lake")
    assert vendor.refused(ask(submits, vendor.query(task_id))) == FORBIDDEN[vendor.name]
    assert vendor.refused(ask(reads, vendor.submit("a lake"))) == FORBIDDEN[vendor.name]
    until_final(vendor, reads, task_id)
    assert vendor.refused(ask(submits, vendor.query(task_id))) == FORBIDDEN[vendor.name]  # nor from memory


@EACH_VENDOR
def test_an_upload_of_a_key_that_may_not_submit_is_not_kept(server: Darkroom, new_key: NewKey, vendor: Vendor) -> None:
    kept = server.uploads()
    client = server.client(server.command("key", "create", "--scope", "read"))
    assert vendor.refused(ask(client, vendor.upload("a.png", png(40, 30)))) == FORBIDDEN[vendor.name]
    assert server.uploads() == kept


@EACH_VENDOR
def test_a_model_that_the_key_is_not_for_is_refused(each_server: Darkroom, new_key: NewKey, vendor: Vendor) -> None:
    client = each_server.client(new_key(models=["upscale-v1"])["key"])
    assert vendor.refused(ask(client, vendor.submit("a lake"))) == FORBIDDEN[vendor.name]
    each_server.client(new_key(models=["upscale-v1", "fake"])["key"])
    assert vendor.made(each_server.client(new_key(models=["upscale-v1", "fake"])["key"]), "a lake")


@EACH_VENDOR
def test_an_address_that_the_key_is_not_for_is_refused(each_server: Darkroom, new_key: NewKey, vendor: Vendor) -> None:
    elsewhere = each_server.client(new_key(networks=["203.0.113.0/24"])["key"])
    assert vendor.refused(ask(elsewhere, vendor.submit("a lake"))) == FORBIDDEN[vendor.name]
    lying = each_server.client(elsewhere.headers["authorization"][7:], headers={"X-Forwarded-For": "203.0.113.5"})
    assert vendor.refused(ask(lying, vendor.query("nobody"))) == FORBIDDEN[vendor.name]
    here = each_server.client(new_key(networks=["127.0.0.0/8", "::1"])["key"])
    task_id = vendor.made(here, "a lake")
    until_final(vendor, here, task_id)
    for _ in range(3):
        assert vendor.state(vendor.read(here, task_id)) == "succeeded"


def test_an_expired_key_is_refused_although_it_never_stops_polling(each_server: Darkroom, new_key: NewKey) -> None:
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 12))
    client = each_server.client(new_key(expires_at=soon)["key"])
    made = [(vendor, vendor.made(client, "a lake")) for vendor in VENDORS]
    for vendor, task_id in made:
        until_final(vendor, client, task_id)

    def polled() -> list[Any]:
        return [unsigned(ask(client, vendor.query(task_id)).json()) for vendor, task_id in made]

    good = polled()
    until(lambda: all(now != before for now, before in zip(polled(), good, strict=True)), seconds=40)
    for vendor, task_id in made:
        assert vendor.refused(ask(client, vendor.query(task_id))) == vendor.invalid_key


@EACH_VENDOR
def test_requests_are_limited_and_polls_are_not(each_server: Darkroom, new_key: NewKey, vendor: Vendor) -> None:
    client = each_server.client(new_key(requests=2)["key"])
    task_id = vendor.made(client, "a lake")
    vendor.made(client, "a lake")
    assert 1 <= limited(vendor, ask(client, vendor.submit("a lake"))) <= 30
    for _ in range(20):
        vendor.state(vendor.read(client, task_id))


@EACH_VENDOR
def test_tasks_are_limited(each_server: Darkroom, new_key: NewKey, vendor: Vendor) -> None:
    client = each_server.client(new_key(tasks=1)["key"])
    vendor.made(client, "a lake")
    assert 1 <= limited(vendor, ask(client, vendor.submit("a lake"))) <= 60


@EACH_VENDOR
def test_unfinished_tasks_are_limited(each_server: Darkroom, new_key: NewKey, vendor: Vendor) -> None:
    client = each_server.client(new_key(active=1)["key"])
    task_id = vendor.made(client, "a lake, fake:hang")
    assert limited(vendor, ask(client, vendor.submit("a lake"))) == 5
    answered(client.post(f"/api/tasks/{task_id}/cancel"))
    assert vendor.made(client, "a lake")


@pytest.fixture
def same_day() -> None:
    """It is not the last minute of a day in UTC."""
    left = 86_400 - time.time() % 86_400
    if left < 60:
        time.sleep(left)


@EACH_VENDOR
@pytest.mark.usefixtures("same_day")
def test_spending_is_limited_for_a_day(each_server: Darkroom, new_key: NewKey, vendor: Vendor) -> None:
    client = each_server.client(new_key(spend=1)["key"])
    task_id = vendor.made(client, "a lake, fake:hang")
    assert 1 <= limited(vendor, ask(client, vendor.submit("a lake"))) <= 86_400
    answered(client.post(f"/api/tasks/{task_id}/cancel"))  # it costs nothing after all
    until_final(vendor, client, vendor.made(client, "a lake"))
    limited(vendor, ask(client, vendor.submit("a lake")))


@pytest.mark.usefixtures("same_day")
def test_a_refused_submit_holds_nothing(each_server: Darkroom, new_key: NewKey) -> None:
    client = each_server.client(new_key(spend=5)["key"])
    body = {"operation": "image.generate", "model": "fake", "count": 4, "params": {"outcome": "hang"}}
    answered(client.post("/api/tasks", json=body))
    limited(NATIVE, client.post("/api/tasks", json=body))
    account = answered(client.get("/api/account"))
    assert (account["available"], account["held"]) == (996, 4)
    (task,) = answered(client.get("/api/tasks"))["items"]
    answered(client.post(f"/api/tasks/{task['id']}/cancel"))


def test_twenty_submits_at_once_keep_within_the_limit(each_server: Darkroom, new_key: NewKey) -> None:
    client = each_server.client(new_key(active=5)["key"], limits=httpx.Limits(max_connections=20))
    body = {"operation": "image.generate", "model": "fake", "params": {"outcome": "hang"}}
    with ThreadPoolExecutor(20) as threads:
        answers = [*threads.map(lambda _: client.post("/api/tasks", json=body).status_code, range(20))]
    assert sorted(answers) == [201] * 5 + [429] * 15
    for task in answered(client.get("/api/tasks"))["items"]:
        answered(client.post(f"/api/tasks/{task['id']}/cancel"))


def test_a_rotated_key_has_two_secrets_for_a_while(each_server: Darkroom, admin: httpx.Client, new_key: NewKey) -> None:
    made = new_key(active=3)
    old = each_server.client(made["key"])
    account = unsigned(answered(old.get("/api/account")))
    rotated = answered(admin.post(f"/api/keys/{made['id']}/rotate", json={"grace_seconds": 7}))
    assert rotated["key"] != made["key"]
    assert {**rotated, "key": 0, "hint": 0} == {**made, "key": 0, "hint": 0}
    new = each_server.client(rotated["key"])
    for client in (new, old):
        assert unsigned(answered(client.get("/api/account"))) == account
    until(lambda: old.get("/api/account").status_code == 401, seconds=40)
    assert unsigned(answered(new.get("/api/account"))) == account


def test_a_rotation_without_grace_ends_the_old_secret_at_once(
    each_server: Darkroom, admin: httpx.Client, new_key: NewKey
) -> None:
    made = new_key()
    answered(admin.post(f"/api/keys/{made['id']}/rotate", json={"grace_seconds": 0}))
    assert NATIVE.refused(each_server.client(made["key"]).get("/api/account")) == NATIVE.invalid_key


def test_administration_is_for_administrators(each_server: Darkroom, admin: httpx.Client, new_key: NewKey) -> None:
    made = new_key()
    client = each_server.client(made["key"])
    for method, path, body in (
        ("POST", "/api/keys", {"name": "mine"}),
        ("GET", "/api/keys", None),
        ("POST", f"/api/keys/{made['id']}/rotate", {}),
        ("DELETE", f"/api/keys/{made['id']}", None),
        ("POST", f"/api/accounts/{made['account']}/credits", {"amount": 5}),
        ("GET", "/api/audit", None),
    ):
        assert NATIVE.refused(client.request(method, path, json=body)) == "403 forbidden"
    assert NATIVE.refused(admin.get("/api/account")) == "403 forbidden"


def test_what_administrators_do_is_in_the_audit_log(admin: httpx.Client, new_key: NewKey) -> None:
    me = next(key for key in answered(admin.get("/api/keys"))["items"] if key["hint"][-4:] == admin_hint(admin))
    made = new_key(name="studio", spend=7)
    answered(admin.post(f"/api/accounts/{made['account']}/credits", json={"amount": 5}))
    answered(admin.post(f"/api/accounts/{made['account']}/credits", json={"amount": -2, "purse": "paid"}))
    answered(admin.post(f"/api/keys/{made['id']}/rotate", json={}))
    answered(admin.delete(f"/api/keys/{made['id']}"))
    lines = answered(admin.get("/api/audit?limit=5"))["items"][::-1]
    assert [line["action"] for line in lines] == [
        *("key.created", "credits.granted", "credits.adjusted", "key.rotated", "key.revoked")
    ]
    assert {line["actor"] for line in lines} == {f"key {me['id']}"}
    assert [line["subject"] for line in lines] == [made["id"], *[made["account"]] * 2, *[made["id"]] * 2]
    assert lines[0]["detail"]["rules"]["spend"] == 7
    assert made["key"] not in str(lines)
    older = answered(admin.get(f"/api/audit?limit=1&cursor={lines[1]['id']}"))["items"]
    assert older == lines[:1]


def admin_hint(admin: httpx.Client) -> str:
    return str(admin.headers["authorization"][-4:])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "x", "scopes": ["all"]}, "scopes"),
        ({"name": "x", "networks": ["10.0.0.0/40"]}, "networks"),
        ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "x", "expires_at": "2030-01-01"}, "expires_at"),
        ({"name": "x", "spend": -1}, "spend"),
    ],
)
def test_a_key_that_cannot_be_is_refused(admin: httpx.Client, body: dict[str, Any], param: str) -> None:
    response = admin.post("/api/keys", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_credits_that_an_account_does_not_have_cannot_be_taken(admin: httpx.Client, new_key: NewKey) -> None:
    account = new_key(credits=10)["account"]
    taken = admin.post(f"/api/accounts/{account}/credits", json={"amount": -11, "purse": "free"})
    assert NATIVE.refused(taken) == "409 conflict"
    assert NATIVE.refused(admin.post(f"/api/accounts/{account}/credits", json={"amount": -1})) == "409 conflict"
    left = answered(admin.post(f"/api/accounts/{account}/credits", json={"amount": -10, "purse": "free"}))
    assert (left["available"], left["free"], left["paid"]) == (0, 0, 0)
    assert NATIVE.refused(admin.post("/api/accounts/nobody/credits", json={"amount": 1})) == "404 not_found"


def test_an_address_that_guesses_keys_is_refused_for_a_while(tmp_path: Any) -> None:
    env = {"DARKROOM_FAILED_LOGINS": "3", "DARKROOM_TRUSTED_PROXIES": "127.0.0.1"}
    with Darkroom(tmp_path, engines="fake", env=env, flags=("--workers", "0")) as server:
        for vendor in (NATIVE, TENSORSLAB, DIMILINKS, MUYUHAN):
            attacker = {"X-Forwarded-For": f"203.0.113.{len(vendor.name)}"}
            for number in range(3):
                guess = server.client(f"sk-{vendor.name}-{number}", headers=attacker)
                assert vendor.refused(ask(guess, vendor.query("nobody"))) == vendor.invalid_key
            assert 1 <= limited(vendor, ask(guess, vendor.query("nobody"))) <= 60
        others = server.client(headers={"X-Forwarded-For": "198.51.100.1"})
        assert others.get("/api/account").status_code == 200
