"""Which addresses callers' URLs may lead to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.reach import Reach


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
)
def test_public_addresses_are_within_reach(address: str) -> None:
    assert Reach().allows(ipaddress.ip_address(address))


@given(st.ip_addresses())
def test_no_address_is_within_reach_that_python_calls_private(address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        translated = address.version == 6 and address.ipv4_mapped is not None
        assert translated or not Reach().allows(address)
