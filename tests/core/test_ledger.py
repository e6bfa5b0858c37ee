"""Credits move between the two sides of an account and leave it only when captured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.core.ledger import grant, hold, settle


@given(st.integers(0, 10**12).flatmap(lambda price: st.tuples(st.just(price), st.integers(0, price))))
def test_a_settled_hold_costs_exactly_its_cost(price_and_cost):
    price, cost = price_and_cost
    entries = (*hold(price), *settle(price, cost))
    assert sum(entry.held for entry in entries) == 0
    assert sum(entry.available for entry in entries) == -cost


@given(st.integers(0, 1_000), st.integers())
def test_a_cost_outside_of_the_price_is_refused(price, cost):
    if 0 <= cost <= price:
        assert sum(entry.held for entry in settle(price, cost)) == -price
    else:
        with pytest.raises(ValueError, match="outside"):
            settle(price, cost)


def test_a_free_task_leaves_no_line():
    assert hold(0) == settle(0, 0) == ()


def test_a_grant_can_be_spent_at_once():
    assert (grant(5).available, grant(5).held) == (5, 0)
