"""A certificate authority for tests, thrown away with their folder, and what is signed by its certificates."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from darkroom.marks import Credentials

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PEM = serialization.Encoding.PEM


def key_for(algorithm: str) -> Key:
    if algorithm.startswith("ps"):
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key({"es256": ec.SECP256R1(), "es384": ec.SECP384R1()}[algorithm])


def name_of(common: str) -> x509.Name:
    parts = {NameOID.COUNTRY_NAME: "DE", NameOID.ORGANIZATION_NAME: "Studio", NameOID.COMMON_NAME: common}
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts.items()])


@dataclass(frozen=True)
class Authority:
    """Signs certificates into a folder."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def issue(self, algorithm: str = "es256", *, days: int = 30, purpose: bool = True, **options: Any) -> Credentials:
        """A key and a chain of certificates in files; with negative `days` the certificate is too old."""
        key = key_for(algorithm)
        builder = certificate(name_of("Signer"), key, name_of("Authority"), days).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(usage(signs=True), critical=True)
        if purpose:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        chain = builder.sign(self.key, hashes.SHA256())
        number = len(list(self.folder.iterdir()))
        key_file, chain_file = self.folder / f"{number}.key.pem", self.folder / f"{number}.chain.pem"
        key_file.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        chain_file.write_bytes(chain.public_bytes(PEM) + self.certificate.public_bytes(PEM))
        return Credentials(key_file, chain_file, algorithm, **options)


def make(folder: Path) -> Authority:
    """A new authority."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    builder = certificate(name_of("Authority"), key, name_of("Authority"), 30)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(usage(signs=False), critical=True)
    return Authority(folder, key, builder.sign(key, hashes.SHA256()))


def certificate(subject: x509.Name, key: Key, issuer: x509.Name, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(signs, False, False, False, False, not signs, not signs, False, False)


@dataclass(frozen=True)
class Manifest:
    """What a reader finds in a signed file: whether it holds, what is wrong, and its actions."""

    state: str
    problems: set[str]
    content: dict[str, Any]

    @property
    def actions(self) -> list[dict[str, Any]]:
        [found] = [part for part in self.content["assertions"] if part["label"].startswith("c2pa.actions")]
        actions: list[dict[str, Any]] = found["data"]["actions"]
        return actions


def read(path: Path, media_type: str) -> Manifest | None:
    """The manifest of a file, as the library's reader sees it; None without one."""
    with path.open("rb") as file:
        reader = c2pa.Reader.try_create(media_type, file)
        if reader is None:
            return None
        with reader:
            content = json.loads(reader.json())
            problems = {problem["code"] for problem in content.get("validation_status", ())}
            return Manifest(reader.get_validation_state(), problems, content["manifests"][content["active_manifest"]])
