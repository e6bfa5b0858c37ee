"""A stretch of network that can be cut: relays connections to a server, until it is told not to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

PIECE = 65_536  # bytes

Pair = tuple[socket.socket, socket.socket]
Judge = Callable[[bytes], bool]


class Cut:
    """Relays from a port of its own (`address`) to `target`, a host and a port. Use as a context manager."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.swallow: Judge = lambda _: False  # of requests, whether the answer gets lost
        self.swallowed = 0
        self._pairs: set[Pair] = set()
        self._mute: set[Pair] = set()
        self._open = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.cut()
        self._listener.close()

    @property
    def address(self) -> str:
        """Where to connect to instead."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """End every connection, and let no new one live."""
        self._open = False
        for pair in list(self._pairs):
            self._end(pair)

    def mend(self, target: tuple[str, int] | None = None) -> None:
        """Relay again, to another server if there is one."""
        self.target = target or self.target
        self._open = True

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            try:
                if not self._open:
                    raise OSError
                far = socket.create_connection(self.target, timeout=5)
            except OSError:
                near.close()
                continue
            pair = near, far
            near.settimeout(None)
            far.settimeout(None)
            self._pairs.add(pair)
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self._relay, args=(pair, source, sink), daemon=True).start()

    def _relay(self, pair: Pair, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                if source is pair[0] and self.swallow(piece):
                    self._mute.add(pair)
                if source is pair[1] and pair in self._mute:  # it is answered, and nobody hears
                    self._mute.discard(pair)
                    self.swallowed += 1
                    break
                sink.sendall(piece)
        self._end(pair)

    def _end(self, pair: Pair) -> None:
        self._pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
