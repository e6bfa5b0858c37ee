"""So many a minute, for each key; and wrong keys, for each address."""

from __future__ import annotations

import pytest

from darkroom.callers import Callers
from darkroom.core.access import networks
from darkroom.core.errors import Code, TaskError
from darkroom.keys import Keyring
from darkroom.rates import REMEMBERED, Rates, WrongKeys
from darkroom.store import Store


class Clock:
    """A clock that is set by hand, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_may_come_at_once_and_then_as_they_come_back():
    clock = Clock()
    rates = Rates(clock)
    for _ in range(6):
        rates.take("key", 6, "requests")
    with pytest.raises(TaskError) as caught:
        rates.take("key", 6, "requests")
    assert (caught.value.code, caught.value.retry_after) == (Code.RATE_LIMITED, 10)
    rates.take("other key", 6, "requests")
    clock.now += 10
    rates.take("key", 6, "requests")
    with pytest.raises(TaskError):
        rates.take("key", 6, "requests")
    clock.now += 3_600
    rates.take("key", 6, "requests", 6)
    with pytest.raises(TaskError):
        rates.take("key", 6, "requests")


def test_what_is_refused_is_not_counted():
    rates = Rates(Clock())
    with pytest.raises(TaskError):
        rates.take("key", 3, "tasks", 4)
    rates.take("key", 3, "tasks", 3)


def test_zero_is_no_limit():
    rates = Rates(Clock())
    for _ in range(1_000):
        rates.take("key", 0, "requests")


def test_keys_that_were_silent_are_forgotten_so_that_memory_is_bounded():
    clock = Clock()
    rates = Rates(clock)
    for number in range(REMEMBERED):
        rates.take(f"key {number}", 1, "requests")
    clock.now += 61
    rates.take("one more", 1, "requests")
    assert len(rates._left) == 1
    with pytest.raises(TaskError):
        rates.take("one more", 1, "requests")


def test_an_address_with_many_wrong_keys_is_refused_for_a_minute():
    clock = Clock()
    wrong = WrongKeys(3, clock)
    for number in range(3):
        wrong.check("203.0.113.9")
        wrong.count("203.0.113.9", f"key {number}")
    with pytest.raises(TaskError) as caught:
        wrong.check("203.0.113.9")
    assert (caught.value.code, caught.value.retry_after) == (Code.RATE_LIMITED, 60)
    wrong.check("203.0.113.10")
    clock.now += 60
    wrong.check("203.0.113.9")
    wrong.count("203.0.113.9", "another")
    wrong.check("203.0.113.9")


def test_the_same_wrong_key_counts_once():
    wrong = WrongKeys(3, Clock())
    for _ in range(100):
        wrong.count("203.0.113.9", "of a forgotten program")
    wrong.check("203.0.113.9")


def test_wrong_keys_that_come_slowly_are_no_attack():
    clock = Clock()
    wrong = WrongKeys(3, clock)
    for number in range(30):
        wrong.count("203.0.113.9", f"key {number}")
        clock.now += 31
        wrong.check("203.0.113.9")


def test_one_customers_ipv6_addresses_count_together():
    wrong = WrongKeys(2, Clock())
    wrong.count("2001:db8::1", "a")
    wrong.count("2001:db8::2", "b")
    with pytest.raises(TaskError):
        wrong.check("2001:db8::3")
    wrong.check("2001:db8:0:1::1")


def test_addresses_are_forgotten_so_that_memory_is_bounded():
    wrong = WrongKeys(1, Clock())
    for number in range(REMEMBERED + 100):
        wrong.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "key")
    assert len(wrong._seen) == REMEMBERED


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # not a proxy of ours: hearsay
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # the client sent the first one itself
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "nonsense"),  # in no network, so in no list
        ("", "198.51.100.1", ""),
    ],
)
async def test_only_our_own_proxies_are_believed(tmp_path, peer, forwarded, address):
    store = await Store.open(f"sqlite:{tmp_path}/darkroom.db")
    ours = Callers(Keyring(store), Rates(), proxies=networks(("10.0.0.0/8",)))
    assert ours.address(peer, forwarded) == address
    assert Callers(Keyring(store), Rates()).address(peer, forwarded) == peer
    await store.close()
