"""Webhooks reach nothing that only this server can reach, whatever name or address their URL has."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from outgoing import Office, at
from receivers import Receiver

from darkroom.core.errors import Code, TaskError
from darkroom.core.webhooks import Kind, Status
from darkroom.reach import Reach
from darkroom.sending import Sender
from darkroom.sending import receiver as receiver_of

SPELLINGS_OF_LOOPBACK = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0"]
SPELLINGS_OF_LOOPBACK += ["[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[fd00:ec2::254]", "[fe80::1]"]


@pytest.mark.parametrize("host", SPELLINGS_OF_LOOPBACK)
async def test_this_machine_is_out_of_reach_in_every_spelling(host: str) -> None:
    heard = Receiver()
    await heard.open()
    outcome = await Sender(Reach()).post("lane", heard.url(host=host), (), b"{}")
    await heard.close()
    assert (outcome.kind, outcome.alive, "private or reserved" in outcome.error) == (Kind.FAILED, False, True)
    assert heard.connections == 0


@pytest.mark.parametrize("host", PRIVATE)
async def test_addresses_that_are_not_public_are_refused(host: str) -> None:
    outcome = await Sender(Reach()).post("lane", f"http://{host}/latest/meta-data/", (), b"{}")
    assert (outcome.kind, "private or reserved" in outcome.error) == (Kind.FAILED, True)
    assert host.strip("[]") not in outcome.error


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Be the name server of `hooks.example`, which answers differently each time; returns what it was asked."""
    asked: list[str] = []
    genuine = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host not in ("hooks.example", b"hooks.example"):
            return genuine(host, port, *args, **kwargs)
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [entry for address in addresses for entry in genuine(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolving(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    sender = Sender(Reach(["127.0.0.1/32"]))
    outcome = await sender.post("lane", receiver.url(host="hooks.example"), (), b"{}")
    assert (outcome.kind, asked) == (Kind.SENT, ["hooks.example"])
    assert receiver.got[0].headers["host"] == f"hooks.example:{receiver.port}"
    await sender.close()
    outcome = await sender.post(
        "lane", receiver.url(host="hooks.example"), (), b"{}"
    )  # a new connection is checked anew
    assert (outcome.kind, "private or reserved" in outcome.error, len(receiver.got)) == (Kind.FAILED, True, 1)


async def test_one_private_address_among_several_is_enough_to_refuse(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["127.0.0.1", "10.0.0.1"])
    outcome = await Sender(Reach(["127.0.0.1/32"])).post("lane", receiver.url(host="hooks.example"), (), b"{}")
    assert "private or reserved" in outcome.error
    assert receiver.connections == 0


async def test_a_redirect_into_a_private_network_is_not_followed(office: Office, receiver: Receiver) -> None:
    receiver.answers.append(
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    )
    office.schedule = (0,)
    await office.canceled(at(receiver.url()))
    async with office.sending():
        (log,) = await office.until(Status.FAILED)
    assert (log.http_status, len(receiver.got)) == (307, 1)


async def test_nothing_of_this_server_travels_along(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login operator password secret")
    for name, value in {"NETRC": str(netrc), "HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://[::1]:9"}.items():
        monkeypatch.setenv(name, value)
    receiver.usual = b"HTTP/1.1 200 OK\r\nSet-Cookie: track=1\r\nContent-Length: 0\r\n\r\n"
    sender = Sender(Reach(["127.0.0.1/32"]))
    for _ in range(2):
        assert (await sender.post("lane", receiver.url(), (), b"{}")).kind is Kind.SENT
    await sender.close()
    for got in receiver.got:
        assert set(got.headers) == {"host", "content-length"}


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a server needs that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encodings = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, *encodings)
    (folder / "server.pem").write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for_is_a_failure(tmp_path: Path) -> None:
    heard = Receiver()
    await heard.open(self_signed(tmp_path))
    outcome = await Sender(Reach(["127.0.0.1/32"])).post("lane", heard.url().replace("http:", "https:"), (), b"{}")
    await heard.close()
    assert (outcome.kind, outcome.alive, "certificate" in outcome.error) == (Kind.FAILED, False, True)
    assert heard.got == []


BAD_URLS = {
    "begins with https": [
        "",
        "hook",
        "//host.example/x",
        "ftp://host.example/",
        "file:///etc/passwd",
    ],
    "password": ["http://user:word@host.example/", "http://user@host.example/"],
    "malformed": ["http://host:port/", "http://[::1/", "http://ho\x00st/"],
    "names a host": ["http://host:0/", "http://host:99999/", "http:/", "https://"],
    "characters": [f"http://host.example/{'a' * 3000}"],
}


@pytest.mark.parametrize(("hint", "url"), [(hint, url) for hint, urls in BAD_URLS.items() for url in urls])
def test_a_url_that_nothing_can_be_sent_to_is_refused_with_a_reason(hint: str, url: str) -> None:
    with pytest.raises(TaskError) as caught:
        receiver_of(url, "webhook")
    assert (caught.value.code, caught.value.param) == (Code.INVALID_INPUT, "webhook")
    assert hint in caught.value.message


@pytest.mark.parametrize(
    ("url", "used", "origin"),
    [
        ("https://Host.Example/a?b=c#d", "https://host.example/a?b=c", "https://host.example:443"),
        ("http://host.example:8080", "http://host.example:8080", "http://host.example:8080"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/", "https://xn--bcher-kva.example:443"),
        ("http://[2606:4700::1]/x", "http://[2606:4700::1]/x", "http://[2606:4700::1]:80"),
    ],
)
def test_a_url_is_kept_as_it_is_used(url: str, used: str, origin: str) -> None:
    text, found = receiver_of(url, "url")
    assert found == origin
    assert text.rstrip("/") in (used.rstrip("/"), url.rstrip("/"))


@pytest.mark.parametrize(
    ("rest", "target"),
    [
        ("", "/"),
        ("?only=query", "/?only=query"),
        ("/a/../b//c;d=1?e=f&g=%20h#i", "/b//c;d=1?e=f&g=%20h"),
        ("/a b?c d='e'", "/a%20b?c%20d='e'"),
        ("/höhe?größe=1", "/h%C3%B6he?gr%C3%B6%C3%9Fe=1"),
        ("/a?b=http://c/?d", "/a?b=http://c/?d"),
    ],
)
async def test_a_receiver_is_asked_for_what_its_url_says(receiver: Receiver, rest: str, target: str) -> None:
    url, _ = receiver_of(f"HTTP://127.0.0.1:{receiver.port}{rest}", "url")
    sender = Sender(Reach(["127.0.0.0/8"]))
    await sender.post("lane", url, (), b"{}")
    await sender.close()
    assert receiver.got[0].path == target
    assert receiver.got[0].headers["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("rest", ["/a\r\nX-Injected: 1", "/a\nb", "/a HTTP/1.1\r\n\r\nGET /", "/\x00"])
def test_no_url_ends_a_line_of_the_request(rest: str) -> None:
    with pytest.raises(TaskError, match="malformed"):
        receiver_of(f"http://127.0.0.1{rest}", "url")
