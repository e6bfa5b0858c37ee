"""Signed links: what they open, and what is refused."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.core.commands import Signature
from darkroom.core.errors import Code, TaskError
from darkroom.objects.signing import Signer, SigningKey

HOUR = 3_600_000
NOW = 1_790_000_123_456
OLD = SigningKey("2025", b"an old secret of enough bytes")
NEW = SigningKey("2026", b"a new secret of enough bytes!")


def signed(signer: Signer, path: str, now: int = NOW) -> Signature:
    query = parse_qs(signer.sign(path, now))
    return Signature(path, int(query["exp"][0]), query["sig"][0])


def refusal(signer: Signer, signature: Signature, now: int = NOW) -> Code:
    with pytest.raises(TaskError) as caught:
        signer.verify(signature, now)
    return caught.value.code


def test_a_fresh_link_opens() -> None:
    signer = Signer([NEW])
    signer.verify(signed(signer, "/p/img/abc/0"), NOW)


def test_a_link_is_an_expiry_and_24_hex_digits() -> None:
    # printf "/p/img/abc/0\n1790089200000" | openssl dgst -sha256 -hmac "a new secret of enough bytes!"
    assert Signer([NEW]).sign("/p/img/abc/0", NOW) == "exp=1790089200000&sig=e29b52ed0061bcaba6afc8cc"


@given(st.integers(0, 2**43))
def test_a_link_lives_for_a_day_and_at_most_an_hour_more(now: int) -> None:
    expires = signed(Signer([NEW]), "/p", now).expires
    assert 24 * HOUR <= expires - now < 25 * HOUR
    assert expires % HOUR == 0


def test_a_path_keeps_its_link_for_a_whole_period() -> None:
    signer = Signer([NEW])
    hour_start = NOW // HOUR * HOUR
    links = {signer.sign("/p/img/abc/0", now) for now in range(hour_start + 1, hour_start + HOUR + 1, 100_000)}
    assert len(links) == 1
    assert signer.sign("/p/img/abc/0", hour_start + HOUR + 1) not in links


def test_a_link_opens_until_the_last_millisecond_before_its_expiry() -> None:
    signer = Signer([NEW])
    link = signed(signer, "/p/img/abc/0")
    signer.verify(link, link.expires - 1)
    assert refusal(signer, link, link.expires) is Code.EXPIRED_LINK


@pytest.mark.parametrize(
    "change",
    [
        lambda link: Signature("/p/img/abc/1", link.expires, link.digest),
        lambda link: Signature(link.path + "/", link.expires, link.digest),
        lambda link: Signature(link.path, link.expires + HOUR, link.digest),
        lambda link: Signature(link.path, link.expires, link.digest[:-1] + ("0" if link.digest[-1] != "0" else "1")),
        lambda link: Signature(link.path, link.expires, link.digest[:-1]),
        lambda link: Signature(link.path, link.expires, link.digest.upper()),
        lambda link: Signature(link.path, link.expires, ""),
        lambda link: Signature(link.path, link.expires, "é" * 24),
        lambda link: Signature(link.path, link.expires, "\ud800" * 24),
        lambda link: Signature("\ud800", link.expires, link.digest),
    ],
)
def test_an_altered_link_is_refused(change) -> None:
    signer = Signer([NEW])
    assert refusal(signer, change(signed(signer, "/p/img/abc/0"))) is Code.INVALID_LINK


def test_an_expired_link_that_was_altered_is_called_invalid() -> None:
    signer = Signer([NEW])
    link = signed(signer, "/p/img/abc/0")
    assert refusal(signer, Signature("/other", link.expires, link.digest), link.expires + 1) is Code.INVALID_LINK


def test_a_link_survives_the_rotation_of_its_key() -> None:
    link = signed(Signer([OLD]), "/p/img/abc/0")
    Signer([NEW, OLD]).verify(link, NOW)
    Signer([NEW, OLD]).verify(signed(Signer([NEW]), "/p/img/abc/0"), NOW)


def test_the_newest_key_signs() -> None:
    assert Signer([NEW, OLD]).sign("/p", NOW) == Signer([NEW]).sign("/p", NOW)


def test_a_link_dies_with_its_key() -> None:
    assert refusal(Signer([NEW]), signed(Signer([OLD]), "/p/img/abc/0")) is Code.INVALID_LINK


def test_a_secret_never_shows() -> None:
    assert "secret of enough" not in repr(NEW)


def test_a_short_secret_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="'weak'") as caught:
        SigningKey("weak", b"hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_signer_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="without a key"):
        Signer([])
