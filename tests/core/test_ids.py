"""Internal ids are UUIDs of version 7."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

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


def test_ids_of_the_same_millisecond_sort_as_they_were_made():
    made = [new_id(1) for _ in range(10_000)]
    assert made == sorted(made)


def test_ids_of_other_milliseconds_between_do_not_disturb_that_order():
    made = [new_id(now) for now in (5, 4, 5, 6, 5, 4) * 1000]
    for now in (4, 5, 6):
        of_that_time = [one for one in made if one.startswith(f"00000000-000{now}")]
        assert len(of_that_time) >= 1000
        assert of_that_time == sorted(of_that_time)


def test_threads_share_one_order():
    def several(_: int) -> list[str]:
        return [new_id(1) for _ in range(1000)]

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(several, range(8)))
    assert all(each == sorted(each) for each in made)
    assert len({one for each in made for one in each}) == 8000
