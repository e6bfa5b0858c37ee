"""How many requests may be under way to whom."""

from __future__ import annotations

from darkroom.lanes import ACCOUNT_SHARE, CLOSED, CLOSED_LONGEST, IDLE, NARROW, NARROW_SHARE, WIDE, WINDOW, Lanes


def filled(lanes: Lanes, names: list[str], now: float = 0.0) -> int:
    """Begin all that finds room; how many that is."""
    rooms = lanes.rooms(names, now)
    for name, room in rooms.items():
        for _ in range(room):
            lanes.begin(name, now)
    return sum(rooms.values())


def widened(lanes: Lanes, name: str) -> None:
    for _ in range(10):
        lanes.answered(name, 0.1)


def test_a_receiver_that_is_not_known_gets_few_requests_and_one_that_answers_quickly_many() -> None:
    lanes = Lanes()
    assert lanes.rooms(["a x"], 0) == {"a x": NARROW}
    widened(lanes, "a x")
    assert lanes.rooms(["a x"], 0) == {"a x": WIDE}


def test_a_receiver_that_becomes_slow_gets_fewer() -> None:
    lanes = Lanes()
    widened(lanes, "a x")
    for _ in range(10):
        lanes.answered("a x", 9.0)
    assert lanes.rooms(["a x"], 0) == {"a x": 1}


def test_a_receiver_that_fails_is_left_alone_for_longer_and_longer_and_then_asked_once() -> None:
    lanes, now, waits = Lanes(), 0.0, []
    widened(lanes, "a x")
    for _ in range(7):
        lanes.failed("a x", now)
        lanes.failed("a x", now)  # it was under way at the same time
        waits.append(lanes["a x"].closed_until - now)
        assert lanes.rooms(["a x"], lanes["a x"].closed_until - 0.01) == {}
        now = lanes["a x"].closed_until
        assert lanes.rooms(["a x"], now) == {"a x": 1}
    assert waits[:3] == [CLOSED, 2 * CLOSED, 4 * CLOSED]
    assert waits[-1] == CLOSED_LONGEST
    lanes.answered("a x", 0.1)
    assert lanes.rooms(["a x"], 0) == {"a x": 2}


def test_dead_receivers_take_half_of_the_window_however_many_they_are() -> None:
    lanes = Lanes()
    assert filled(lanes, [f"{number} x" for number in range(1000)]) == NARROW_SHARE
    assert filled(lanes, [f"{number} y" for number in range(1000)]) == 0
    healthy = [f"healthy {number}" for number in range(100)]
    for name in healthy:
        widened(lanes, name)
    assert filled(lanes, healthy) == WINDOW - NARROW_SHARE


def test_one_account_takes_half_of_the_window() -> None:
    lanes = Lanes()
    names = [f"a {number}" for number in range(100)]
    for name in names:
        widened(lanes, name)
    assert filled(lanes, names) == ACCOUNT_SHARE


def test_who_waited_longest_is_first() -> None:
    lanes = Lanes()
    names = [f"{number} x" for number in range(NARROW_SHARE)]
    assert filled(lanes, names, 1.0) == NARROW_SHARE
    served = list(lanes.rooms([], 0)) or [name for name in names if lanes[name].under_way]
    for name in served:
        while lanes[name].under_way:
            lanes.end(name)
    rest = [name for name in names if name not in served]
    assert list(lanes.rooms(names, 2.0))[: len(rest)] == rest


def test_idle_lanes_are_forgotten() -> None:
    lanes = Lanes()
    lanes.begin("a x", 0.0)
    lanes.begin("a y", 0.0)
    lanes.end("a x")
    assert lanes.idle(IDLE) == []
    assert lanes.idle(IDLE + 1) == ["a x"]
    lanes.end("a y")
    assert lanes.idle(IDLE + 1) == ["a y"]
