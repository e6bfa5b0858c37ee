"""Signed content credentials (C2PA): a manifest in the file that says what the mark says, and that nothing was changed.

Needs the package `c2pa-python` (the extra `c2pa`), which is imported only where it is used. Guarantees: a file is
replaced whole or not touched at all; the private key is read where it is used, and is in no message and no other
process; without a service for time stamps nothing is asked of the network. https://spec.c2pa.org/specifications/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .. import __version__
from .packet import Mark
from .replacing import replacing

if TYPE_CHECKING:
    from c2pa import Context

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},  # it would be most of the file
    # Whatever a file says, nothing is fetched. What was signed is checked: a wrong key is not for others to find out.
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": True},
}
MOST = 1 << 20  # bytes of a file with a key or certificates
NEEDED = "c2pa_key: signing needs one more package: pip install 'darkroom-server[c2pa]'"
SOFTWARE = {"name": "Darkroom", "version": __version__}


class SigningError(Exception):
    """Why something could not be signed, for the operator."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs: files with the private key (PKCS #8) and with its certificate and those above it, all as PEM.

    `timestamp_url` is a service by RFC 3161 that confirms the time; empty for none.
    """

    key: Path
    chain: Path
    algorithm: str = "es256"
    timestamp_url: str = ""


def sign(path: Path, media_type: str, mark: Mark, credentials: Credentials, *, altered: bool) -> None:
    """Sign a file that has no credentials yet; `altered` says that it was made of a caller's.

    `SigningError`, or `OSError` where there is no room; the file is then as it was.
    """
    with signing(credentials) as context, path.open("rb") as source, replacing(path) as copy:
        _sign(context, manifest(mark, altered=altered), media_type, source, copy)


def check(credentials: Credentials) -> None:
    """Sign a small picture, without a time stamp, so that a wrong key or certificate is found at once."""
    from PIL import Image

    picture = BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    source_type = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
    facts = Mark(model="check", task_id="check", digital_source_type=source_type, created=0)
    with signing(replace(credentials, timestamp_url="")) as context:
        _sign(context, manifest(facts, altered=False), "image/png", picture, BytesIO())


def manifest(mark: Mark, *, altered: bool) -> str:
    """What is signed. An alteration is told too, but the first action of a file that names no sources is its making."""
    facts = {
        "when": datetime.fromtimestamp(mark.created // 1000, UTC).isoformat().replace("+00:00", "Z"),
        "softwareAgent": SOFTWARE,
        "digitalSourceType": mark.digital_source_type,
        "parameters": {"x-darkroom.model": mark.model, "x-darkroom.taskId": mark.task_id},
    }
    names = ("c2pa.created", "c2pa.edited") if altered else ("c2pa.created",)
    actions = {"actions": [{"action": name, **facts} for name in names]}
    return json.dumps({"claim_generator_info": [SOFTWARE], "assertions": [{"label": "c2pa.actions", "data": actions}]})


@contextmanager
def signing(credentials: Credentials) -> Iterator[Context]:
    """What signs. Errors of the library within the block are a `SigningError`."""
    try:
        import c2pa
    except ImportError:
        raise SigningError(NEEDED) from None
    key = read_pem("c2pa_key", credentials.key, "PRIVATE KEY")
    chain = read_pem("c2pa_chain", credentials.chain, "CERTIFICATE")
    try:
        info = c2pa.C2paSignerInfo(credentials.algorithm, chain, key, credentials.timestamp_url or None)
        with c2pa.Context.from_dict(SETTINGS, signer=c2pa.Signer.from_info(info)) as context:
            yield context
    except c2pa.C2paError as error:
        raise SigningError(f"c2pa_key, c2pa_chain and c2pa_algorithm cannot sign: {said(error)}") from None


def _sign(context: Context, what: str, media_type: str, source: IO[bytes], target: IO[bytes]) -> None:
    import c2pa

    with c2pa.Builder(what, context) as builder:
        builder.sign(media_type, source, target)


def said(error: Exception) -> str:
    """The library's words in one line; it quotes no part of a key."""
    return " ".join(str(error).split())[:300]


def read_pem(setting: str, path: Path, wanted: str) -> bytes:
    """A file with PEM of the wanted kind; what is wrong with it is a `SigningError`, which quotes nothing of it."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST)
    except OSError as error:
        raise SigningError(f"{setting}: cannot read {path}: {error.strerror}") from None
    if f"-----BEGIN {wanted}-----".encode() in content:
        return content
    hint = ""
    if b" PRIVATE KEY-----" in content:  # of an older kind, or encrypted
        hint = f". This makes one: openssl pkcs8 -topk8 -nocrypt -in {path} -out NEW"
    raise SigningError(f"{setting}: {path} holds no '{wanted}' as PEM{hint}")
