"""What keys may do, and from where."""

from __future__ import annotations

import pytest

from darkroom.core.access import (
    DAY,
    Caller,
    Rules,
    Scope,
    check_active,
    check_address,
    check_expiry,
    check_model,
    check_rules,
    check_spend,
)
from darkroom.core.admin_commands import ListAudit, ListKeys, RevokeKey
from darkroom.core.commands import (
    Cancel,
    CheckHealth,
    Delete,
    Get,
    GetAccount,
    KeepFile,
    List,
    ListEntries,
    ListModels,
    ReadResult,
    Submit,
)
from darkroom.core.errors import Code, TaskError
from darkroom.core.scopes import check_scope
from darkroom.core.task import Operation

SUBMITS = (Submit(operation=Operation.IMAGE_EDIT), Cancel("x"), Delete(("x",)), KeepFile("x"))
READS = (Get("x"), List(), ReadResult("x"), GetAccount(), ListEntries())
ADMINISTERS = (ListKeys(), RevokeKey("x"), ListAudit())


def caller(**rules) -> Caller:
    return Caller("account", "key", Rules(**rules))


def refused(check, *given) -> TaskError:
    with pytest.raises(TaskError) as caught:
        check(*given)
    return caught.value


@pytest.mark.parametrize("scope", Scope)
def test_a_key_may_do_what_its_scope_says_and_nothing_else(scope):
    allowed = {Scope.SUBMIT: SUBMITS, Scope.READ: READS, Scope.ADMIN: ADMINISTERS, Scope.WORKER: ()}
    for command in (*SUBMITS, *READS, *ADMINISTERS):
        if command in allowed[scope]:
            check_scope(caller(scopes=(scope,)), command)
        else:
            assert refused(check_scope, caller(scopes=(scope,)), command).code is Code.FORBIDDEN
    for command in (ListModels(), CheckHealth()):
        check_scope(caller(scopes=(scope,)), command)


def test_a_model_that_is_not_in_the_list_is_refused_by_name():
    check_model(caller(), "any")
    check_model(caller(models=("one", "two")), "two")
    error = refused(check_model, caller(models=("one", "two")), "three")
    assert (error.code, error.param) == (Code.FORBIDDEN, "model")
    assert "one, two" in error.message


@pytest.mark.parametrize("address", ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8::5", "2001:db8::5%eth0"])
def test_an_address_of_the_list_is_let_in(address):
    check_address(caller(networks=("203.0.113.0/24", "2001:db8::/64")), address)
    check_address(caller(), address)


@pytest.mark.parametrize("address", ["203.0.114.9", "2001:db9::5", "", "unix", "::ffff:203.0.114.1"])
def test_any_other_address_is_refused(address):
    rules = caller(networks=("203.0.113.0/24", "2001:db8::/64"))
    assert refused(check_address, rules, address).code is Code.FORBIDDEN


def test_a_key_ends_at_its_time():
    check_expiry(caller(expires_at=1_000), 999)
    assert refused(check_expiry, caller(expires_at=1_000), 1_000).code is Code.INVALID_KEY


def test_limits_say_when_to_come_again():
    check_active(Rules(active=5), 3, 2)
    error = refused(check_active, Rules(active=5), 3, 3)
    assert (error.code, error.retry_after) == (Code.RATE_LIMITED, 5)
    check_spend(Rules(spend=10), 4, 6, 0)
    check_spend(Rules(spend=10), 11, 0, 0)  # what is free may always be had
    error = refused(check_spend, Rules(spend=10), 4, 7, DAY * 9 + 1)
    assert (error.code, error.retry_after) == (Code.RATE_LIMITED, DAY // 1000)
    assert "6 are left" in error.message


@pytest.mark.parametrize(
    "rules",
    [{"networks": ("10.0.0.0/33",)}, {"networks": ("example.com",)}, {"scopes": ()}, {"spend": -1}, {"tasks": 10**16}],
)
def test_rules_that_no_key_can_have_are_refused(rules):
    assert refused(check_rules, Rules(**rules)).code is Code.INVALID_INPUT
