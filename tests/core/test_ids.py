"""Internal ids are UUIDs of version 7."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from darkroom.core.ids import new_id

times = st.integers(0, (1 << 48) - 1)


@given(times, times)
def test_ids_sort_by_time(first, second):
    if first != second:
        assert (new_id(first) < new_id(second)) == (first < second)


@given(times)
def test_an_id_is_a_uuid_of_version_7_that_carries_its_time(now):
    value = uuid.UUID(new_id(now))
    assert (value.version, value.variant, value.int >> 80) == (7, uuid.RFC_4122, now)


def test_ids_of_the_same_millisecond_differ():
    assert len({new_id(1) for _ in range(10_000)}) == 10_000
