"""Ports of the tests' own servers: nobody else is given them by chance, and none is told twice."""

from __future__ import annotations

import socket

import pytest

from darkroom.testing.ports import EACH, FIRST, WORKERS, free_port, unused_port


def test_no_port_is_told_twice_or_given_to_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    for worker in ("gw0", "gw1", f"gw{WORKERS - 1}"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        told += [free_port() for _ in range(20)]
    assert len(set(told)) == len(told)
    assert {(port - FIRST) // EACH for port in told} == {0, 1, WORKERS - 1}
    assert max(told) < 32_768  # where the ports begin that Linux gives to clients


def test_a_port_that_somebody_uses_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = free_port()
    with socket.create_server(("127.0.0.1", ours)):
        found = iter([ours - FIRST, 7, 8])
        monkeypatch.setattr("darkroom.testing.ports.random.randrange", lambda _: next(found))
        monkeypatch.setattr("darkroom.testing.ports._given", set())
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
        assert free_port() != ours


def test_nobody_listens_on_an_unused_port() -> None:
    with unused_port() as port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", port))
