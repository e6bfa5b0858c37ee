"""What tasks cost: by result, resolution, length and size, in whole credits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.core.pricing import MOST, Price, parse, price
from darkroom.core.task import File


def picture(width: int, height: int, duration: float | None = None) -> File:
    return File("file", "files/file", "image/png", 1, width, height, duration)


def test_a_number_is_the_price_of_each_result():
    assert price(parse(3), {"size": "4096x4096", "duration": 9}, 4) == 12


@pytest.mark.parametrize(
    ("size", "expected"),
    [("1024x1024", 1), ("2047x2047", 1), ("2048x1152", 3), ("1152x2048", 3), ("3840x2160", 6), ("8000x10", 6)],
)
def test_a_tier_begins_at_its_longer_side(size, expected):
    assert price(parse({"each": 1, "tiers": {"2k": 3, "4k": 6}}), {"size": size}, 1) == expected


@pytest.mark.parametrize(("resolution", "expected"), [("480p", 5), ("720p", 5), ("1080p", 7), ("1440p", 9)])
def test_a_resolution_that_is_asked_for_is_a_tier(resolution, expected):
    rate = parse({"each": 5, "tiers": {"1080p": 7, "1440p": 9}})
    assert price(rate, {"resolution": resolution, "ratio": "9:16"}, 1) == expected


def test_the_example_of_the_documentation():
    rate = parse({"each": 1, "second": 2, "megapixel": 1, "tiers": {"1080p": 3}})
    assert price(rate, {"resolution": "1080p", "ratio": "16:9", "duration": 5}, 1) == 16


def test_parts_of_a_credit_are_rounded_up_for_each_result():
    assert price(parse({"each": 0, "second": 1}), {"duration": 0.001}, 3) == 3
    assert price(parse({"each": 1, "second": 2}), {"duration": 5.0}, 2) == 22
    assert price(parse({"each": 1, "megapixel": 1}), {"size": "1000x1000"}, 1) == 2
    assert price(parse({"each": 1, "megapixel": 1}), {"size": "1001x1000"}, 1) == 3


def test_a_result_costs_each_at_least_although_its_tier_is_cheaper():
    assert price(parse({"each": 5, "tiers": {"1k": 2}}), {"size": "1024x1024"}, 1) == 5


def test_what_is_not_asked_for_is_as_the_input_has_it_times_its_scale():
    rate = parse({"each": 1, "second": 1, "tiers": {"2k": 10}})
    clip = picture(1024, 512, 2.5)
    assert price(rate, {}, 1, (clip,)) == 4
    assert price(rate, {"scale": 2}, 1, (clip,)) == 13
    assert price(rate, {"scale": 2, "duration": 1}, 1, (clip, picture(8, 8, 60.0))) == 11


def test_what_nobody_can_tell_costs_the_base():
    assert price(parse({"each": 2, "second": 5, "megapixel": 5, "tiers": {"480p": 9}}), {"prompt": "a lake"}, 2) == 4


@given(
    st.builds(
        Price,
        each=st.integers(0, 50),
        second=st.integers(0, 50),
        megapixel=st.integers(0, 50),
        tiers=st.dictionaries(st.sampled_from(["480p", "1080p", "1k", "2k", "8k"]), st.integers(0, 50)),
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "size": st.from_regex(r"\A[1-9][0-9]{0,3}x[1-9][0-9]{0,3}\Z"),
            "resolution": st.sampled_from(["480p", "1440p", "2K", "wide", ""]),
            "ratio": st.sampled_from(["16:9", "1:3", "0:1", "square"]),
            "duration": st.floats(0, 1e6),
            "scale": st.sampled_from([1, 2, 1.5, 16]),
        },
    ),
    st.integers(1, 9),
    st.lists(st.builds(picture, st.integers(0, 9000), st.integers(0, 9000), st.none() | st.floats(0, 1e5)), max_size=3),
)
def test_every_price_is_a_whole_number_that_grows_with_the_count_alone(rate, params, count, inputs):
    cost = price(rate, params, count, inputs)
    assert type(cost) is int
    assert cost >= rate.each * count
    assert cost == count * price(rate, params, 1, inputs)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (-1, "whole number"),
        (MOST + 1, "whole number"),
        ({}, "'each' is missing"),
        ({"each": 1.5}, "each must be a whole number"),
        ({"each": True}, "each must be a whole number"),
        ({"each": 1, "seconds": 2}, "unknown part 'seconds'"),
        ({"each": 1, "tiers": {"3k": 2}}, "unknown tier '3k'"),
        ({"each": 1, "tiers": {"2k": "2"}}, "tier '2k' must be a whole number"),
        ({"each": 1, "tiers": 5}, "tiers must be a table"),
    ],
)
def test_a_price_that_cannot_be_is_refused(value, problem):
    with pytest.raises(ValueError, match=problem):
        parse(value)
