"""Whose task is next: the rule alone, against many histories."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.core.fairness import CREDIT, EVER, Choice, Head, Place, choose, length, start


@dataclass
class Line:
    """One engine's queue, by the rule: what the store does with rows."""

    weights: dict[str, float]
    clock: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    waiting: list[tuple[int, int, str, int]] = field(default_factory=list)
    numbers: int = 0

    def submit(self, account: str, price: int = 1) -> int:
        turn = start(self.clock, self.ends.get(account, 0))
        self.ends[account] = turn + length(price, self.weights.get(account, 1))
        self.numbers += 1
        heapq.heappush(self.waiting, (turn, self.numbers, account, price))
        return turn

    def claim(self) -> tuple[str, int]:
        turn, _, account, price = heapq.heappop(self.waiting)
        self.clock = max(self.clock, turn)
        return account, price


ACCOUNTS = ("a", "b", "c")
steps = st.lists(st.one_of(st.none(), st.tuples(st.sampled_from(ACCOUNTS), st.integers(0, 50))), max_size=200)
weights = st.fixed_dictionaries({name: st.sampled_from([0.01, 0.5, 1, 2, 3.7, 100]) for name in ACCOUNTS})


@given(steps, weights)
def test_the_clock_never_goes_back_and_no_turn_lies_before_it(steps, weights):
    line = Line(weights)
    clock = 0
    for step in steps:
        if step is not None:
            assert line.submit(*step) >= line.clock
        elif line.waiting:
            line.claim()
        assert line.clock >= clock
        clock = line.clock


@given(steps, weights)
def test_an_account_has_its_tasks_run_in_the_order_in_which_they_came(steps, weights):
    line = Line(weights)
    turns = dict.fromkeys(ACCOUNTS, -1)
    for step in steps:
        if step is None:
            continue
        turn = line.submit(*step)
        assert turn > turns[step[0]]
        turns[step[0]] = turn


@given(st.integers(1, 300), st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(1, 20))
def test_who_comes_anew_waits_for_one_task_of_each_other_account_at_most(backlog, others, price):
    line = Line({})
    for number, size in enumerate([backlog, *others]):
        for _ in range(size):
            line.submit(f"account {number}", price)
    line.claim()
    line.submit("new")
    before = 0
    while line.claim()[0] != "new":
        before += 1
    assert before <= len(others) + 1


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([0.5, 1, 2, 4]), st.integers(1, 9)), min_size=2, max_size=6), st.integers(0, 300)
)
def test_accounts_that_always_wait_share_by_weight_within_a_task_each(kinds, idle):
    """The bound of start-time fair queueing: what two get, by their weights, differs by one task of each at most."""
    line = Line({str(number): weight for number, (weight, _) in enumerate(kinds)})
    for _ in range(idle):  # time that passed before saves nothing up
        line.submit("0", 1)
        line.claim()
    for number, (_, price) in enumerate(kinds):
        for _ in range(2):
            line.submit(str(number), price)
    got: Counter[str] = Counter()
    for _ in range(400):
        account, price = line.claim()
        line.submit(account, kinds[int(account)][1])
        got[account] += length(price, line.weights[account])
    bounds = [length(price, weight) for weight, price in kinds]
    for one in range(len(kinds)):
        for other in range(one):
            assert abs(got[str(one)] - got[str(other)]) <= bounds[one] + bounds[other]


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 40))
def test_nobody_starves_whatever_the_others_submit(rivals, price):
    """A task is run before its rivals have had more than its turn's distance, and a task each, since it came."""
    line = Line({})
    for number in range(rivals):
        for _ in range(50):
            line.submit(f"rival {number}", price)
    for _ in range(20):
        line.claim()
    for _ in range(3):
        line.submit("patient", price)
    claims = 0
    left = 3
    while left:
        account, _ = line.claim()
        claims += 1
        left -= account == "patient"
        line.submit(account if account != "patient" else "rival 0", price)
    assert claims <= 3 * (rivals + 1) + rivals


def test_a_free_task_counts_as_one_credit_and_weights_divide():
    assert length(0, 1) == length(1, 1) == CREDIT
    assert length(10, 2) == 5 * CREDIT
    assert length(1, 100) >= 1
    assert length(10**15, 0.01) < EVER // 1000


# ---- the choice among models


def head(model: str, turn: int, seq: int = 1, priority: int = 0) -> Head:
    return Head(Place(-priority, turn, seq), "engine", model)


def test_nothing_is_chosen_where_nothing_waits():
    assert choose([], (), 4) is None


def test_the_least_turn_is_taken_up_to_the_next_models_place():
    chosen = choose([head("b", 7, 2), head("a", 5, 9)], (), 0)
    assert chosen == Choice(head("a", 5, 9), 7, 2)


def test_a_higher_priority_goes_before_any_turn_and_any_warm_model():
    urgent = head("urgent", 10**9, priority=1)
    assert choose([head("warm", 0), urgent], ("warm",), 10**6) == Choice(urgent, EVER, EVER)


def test_a_warm_model_goes_first_within_the_window_and_not_beyond_it():
    cold, near, far = head("cold", 0), head("warm", 4 * CREDIT), head("warm", 4 * CREDIT + 1)
    assert choose([cold, near], ("warm",), 4) == Choice(near, 4 * CREDIT, EVER)
    assert choose([cold, far], ("warm",), 4) == Choice(cold, 4 * CREDIT + 1, 1)
    assert choose([cold, near], ("warm",), 0) == Choice(cold, 4 * CREDIT, 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20), st.integers(0, 1)), min_size=1, max_size=6))
def test_no_choice_reaches_farther_than_the_window_beyond_whoever_is_passed_over(heads):
    made = [head(model, turn * CREDIT, seq, priority) for seq, (model, turn, priority) in enumerate(heads)]
    chosen = choose(made, ("a",), 4)
    assert chosen is not None
    passed = [each for each in made if each is not chosen.head and each.place.rank == chosen.head.place.rank]
    assert all(chosen.head.place.turn <= each.place.turn + 4 * CREDIT for each in passed)
    assert all(chosen.turn <= each.place.turn + 4 * CREDIT for each in passed)
    assert chosen.head.place.rank == min(each.place.rank for each in made)
