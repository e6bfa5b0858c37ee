"""Receivers behind TLS: real certificates of an authority that the operator trusts, and those that prove nothing."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from outgoing import Office, at
from receivers import Receiver

from darkroom.core.webhooks import Status
from darkroom.reach import Reach
from darkroom.sending import Sender
from darkroom.store import Store

UNTRUSTED = "The receiver cannot be reached, or its certificate is not valid."


class Authority:
    """Signs certificates of servers, into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = named("Authority")
        made = self._builder(self._name, self._key, 30).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def context(self, address: str = "127.0.0.1", days: int = 30) -> ssl.SSLContext:
        """What a server at this address proves itself with; with negative days it is too old."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        made = self._builder(named("Receiver"), key, days).add_extension(names, critical=False)
        chain, secret = self._folder / "receiver.pem", self._folder / "receiver.key"
        chain.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, secret)
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(identifier, critical=False)
        )


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext) -> AsyncIterator[Receiver]:
    """A receiver that speaks TLS."""
    receiver = Receiver()
    await receiver.open(tls)
    try:
        yield receiver
    finally:
        await receiver.close()


async def test_a_receiver_whose_authority_is_trusted_is_told(store: Store, authority: Authority) -> None:
    office = Office(store, authorities=str(authority.file))
    async with receiving(authority.context()) as there, office.sending():
        task = await office.canceled(at(there.url().replace("http:", "https:")))
        await office.until(Status.SENT, seconds=30)
    assert [got.json["data"]["id"] for got in there.got] == [task.public_id]


@pytest.mark.parametrize(
    ("trusted", "certificate"),
    [
        (False, {}),
        (True, {"address": "127.0.0.2"}),
        (True, {"days": -1}),
    ],
    ids=["an unknown authority", "another address", "too old"],
)
async def test_a_receiver_that_proves_nothing_is_told_nothing(
    store: Store, authority: Authority, trusted: bool, certificate: dict[str, object]
) -> None:
    office = Office(store, authorities=str(authority.file) if trusted else "")
    async with receiving(authority.context(**certificate)) as there:
        async with office.sending():
            await office.canceled(at(there.url().replace("http:", "https:")))
            (failed,) = await office.until(Status.FAILED, seconds=30)
        assert there.got == []
    assert failed.error == UNTRUSTED


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["no file", "empty", "something else"])
def test_a_file_without_certificates_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match="is no file of certificates"):
        Sender(Reach(()), authorities=str(file))
