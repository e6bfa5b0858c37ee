"""What a parent shows is computed from its children alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from darkroom.core.errors import Code
from darkroom.core.family import combine, combined_state
from darkroom.core.task import Failure, State
from darkroom.testing.databases import NOW, new_artifact, new_task


def child(state, progress=0, price=0, version=1):
    codes = {State.FAILED: Code.ENGINE_FAILED, State.CANCELED: Code.CANCELED}
    return new_task(
        state=state,
        progress=100 if state.final else progress,
        price=price,
        cost=price if state is State.SUCCEEDED else 0,
        attempt=int(state is not State.QUEUED),
        failure=Failure(codes[state], f"It {state}.") if state in codes else None,
        artifacts=(new_artifact(),) if state is State.SUCCEEDED else (),
        started_at=NOW if state is not State.QUEUED else None,
        finished_at=NOW + 5 if state.final else None,
        version=version,
    )


children = st.lists(
    st.builds(child, st.sampled_from(State), st.integers(0, 100), st.integers(0, 50), st.integers(1, 9)),
    min_size=1,
    max_size=6,
).map(tuple)


@given(children)
def test_a_parent_is_final_exactly_when_all_its_children_are(parts):
    family = combine(new_task(parts=len(parts)), parts)
    assert family.state.final == all(part.state.final for part in parts)
    assert (family.finished_at is not None) == family.state.final
    assert 0 <= family.progress <= 100


@given(children)
def test_a_parent_sums_its_children(parts):
    family = combine(new_task(parts=len(parts), version=3), parts)
    assert family.price == sum(part.price for part in parts)
    assert family.cost == sum(part.cost for part in parts)
    assert family.version == 3 + sum(part.version for part in parts)
    assert family.artifacts == tuple(artifact for part in parts for artifact in part.artifacts)
    assert family.children == parts


@given(children)
def test_a_parent_without_success_tells_the_failure_that_made_its_state(parts):
    family = combine(new_task(parts=len(parts)), parts)
    if family.state in (State.FAILED, State.CANCELED):
        assert family.failure == next(part.failure for part in parts if part.state is family.state)
    else:
        assert family.failure is None


@given(children)
def test_parts_that_were_lost_from_a_success_are_mentioned(parts):
    family = combine(new_task(parts=len(parts)), parts)
    lost = sum(part.state is not State.SUCCEEDED for part in parts)
    assert bool(family.warnings) == (family.state is State.SUCCEEDED and lost > 0)


@given(st.lists(st.sampled_from(State), min_size=1))
def test_the_order_of_children_does_not_change_their_parents_state(states):
    assert combined_state(states) is combined_state(states[::-1])


def test_a_parent_waits_until_its_first_part_starts():
    assert combined_state([State.QUEUED, State.QUEUED]) is State.QUEUED
    assert combined_state([State.QUEUED, State.RUNNING]) is State.RUNNING
    assert combined_state([State.QUEUED, State.SUCCEEDED]) is State.RUNNING


def test_a_parent_whose_children_were_deleted_is_shown_as_it_was_stored():
    parent = new_task(parts=2, state=State.SUCCEEDED)
    assert combine(parent, ()) == parent
