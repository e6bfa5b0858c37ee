"""The far end of `_process`: serves calls of one function in a child process.

Run as `python -m darkroom.engines._child package.module:function MEMORY`, where MEMORY is the most that it may use in
MiB, or 0. Calls come in on standard input and answers go out on what was standard output, as frames of a length and a
msgpack message. It guarantees that

- nothing that the function or a native library prints can damage the protocol: file descriptor 1 leads to the log;
- a flood of progress reports costs next to nothing: at most `RATE` a second leave the process, none of them goes back;
- whatever the function raises arrives as a `TaskError`;
- on Linux the process uses no more memory than it may: an allocation beyond that fails, which is a `TaskError`, too;
- the process ends, in the middle of its work if need be, as soon as its parent is gone.

Importing this module is cheap; the function's own module is imported by the first call.
"""

from __future__ import annotations

import ctypes
import importlib
import inspect
import os
import queue
import resource
import signal
import struct
import sys
import threading
import traceback
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

from ..core.errors import NO_ROOM, Code, TaskError, no_room

RATE = 10  # progress messages per second
LENGTH = struct.Struct(">I")  # what precedes every message: its size in bytes
DETAIL = 8_000  # characters of a traceback that are worth keeping
PR_SET_PDEATHSIG = 1
# Of glibc's mallopt. By default, it gives large blocks back to the system and asks for them again, page by page: for
# pictures that takes up to a third of the time.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT, KEPT_BLOCK = 256 << 20, 32 << 20  # bytes of free memory that a process keeps, and of a block that it keeps
CV_NO_MEMORY = -4  # the code of an OpenCV error: an allocation failed

Target = Callable[[Any, "Report"], Any]


class Report(Protocol):
    """What a function in a child process may tell while it works."""

    def progress(self, percent: int, note: str = "") -> None:
        """Report 0 to 100 as often as is convenient; a lower number than before counts as the same."""

    def preview(self, picture: Path) -> None:
        """Show what there is so far: a small WebP file below the job's workdir, each time another one."""


class Call(msgspec.Struct, tag=True):
    """Parent to child: run the function."""

    argument: Any


class Progress(msgspec.Struct, tag=True, frozen=True):
    """Child to parent: how far the work is, 0 to 100, and the last picture of it."""

    percent: int
    note: str
    picture: Path | None = None


class Result(msgspec.Struct, tag=True):
    """Child to parent: the function returned this."""

    value: Any


class Failed(msgspec.Struct, tag=True):
    """Child to parent: the function raised this `TaskError`."""

    code: Code
    message: str
    param: str | None
    detail: str | None
    retryable: bool
    retry_after: int | None


Answer = Progress | Result | Failed


def pack(message: Call | Answer) -> bytes:
    """A message as a frame. Raises what msgspec raises where the message holds something that cannot travel."""
    body = msgspec.msgpack.encode(message, enc_hook=_to_plain)
    return LENGTH.pack(len(body)) + body


def to_type(value: Any, wanted: Any) -> Any:
    """Plain data as the type that the receiver asked for, or `msgspec.ValidationError`."""
    return msgspec.convert(value, wanted, dec_hook=from_plain)


def _to_plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be sent to another process")


def from_plain(wanted: type, value: Any) -> Any:
    """What msgspec does not know by itself, from plain data."""
    if issubclass(wanted, Path) and isinstance(value, str):
        return wanted(value)
    raise NotImplementedError(f"{wanted.__name__} cannot be received from another process")


class Reporter:
    """The `Report` of one call. A thread of its own sends the latest progress, so that reporting never waits."""

    def __init__(self, send: Callable[[Progress], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._latest = self._sent = Progress(0, "")
        self._news = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def progress(self, percent: int, note: str = "") -> None:
        """Take note of progress, from any thread."""
        with self._lock:
            percent = max(self._latest.percent, min(100, int(percent)))
            if percent == self._latest.percent and note == self._latest.note:
                return
            self._take(Progress(percent, note, self._latest.picture))

    def preview(self, picture: Path) -> None:
        """Take note of a picture, from any thread."""
        with self._lock:
            self._take(Progress(self._latest.percent, self._latest.note, picture))

    def _take(self, latest: Progress) -> None:
        self._latest = latest
        if self._thread is None:
            self._thread = threading.Thread(target=self._tell, daemon=True)
            self._thread.start()
        if not self._news.is_set():
            self._news.set()

    def close(self) -> bytes:
        """What was not sent yet, as a frame, or nothing; nothing is sent from now on."""
        self._over.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()
        return b"" if self._latest is self._sent else pack(self._latest)

    def _tell(self) -> None:
        while not self._over.is_set():
            self._news.wait()
            self._news.clear()
            self._flush()
            self._over.wait(1 / RATE)

    def _flush(self) -> None:
        latest = self._latest
        if latest is not self._sent:
            self._sent = latest
            self._send(latest)


class Server:
    """Runs the calls that come in on `source`, one after the other, and answers on `sink`."""

    def __init__(self, target: str, source: BinaryIO, sink: BinaryIO) -> None:
        self._target = target
        self._source = source
        self._sink = sink
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._loaded: tuple[Target, Any] | None = None

    def run(self) -> None:
        """Serve for ever. The main thread works, because native libraries like it best; another one listens."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            self._send_frame(self._answer(self._calls.get()))

    def _listen(self) -> None:
        try:
            while len(head := self._source.read(LENGTH.size)) == LENGTH.size:
                self._calls.put(msgspec.msgpack.decode(self._source.read(LENGTH.unpack(head)[0]), type=Call))
        finally:
            end()

    def _answer(self, call: Call) -> bytes:
        reporter = Reporter(lambda progress: self._send_frame(pack(progress)))
        try:
            function, wanted = self._load()
            answer = pack(Result(function(to_type(call.argument, wanted), reporter)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the parent is told, whatever it is
            answer = pack(failed(error))
        return reporter.close() + answer

    def _load(self) -> tuple[Target, Any]:
        if self._loaded is None:
            module, _, name = self._target.partition(":")
            function: Target = getattr(importlib.import_module(module), name)
            first = next(iter(inspect.signature(function).parameters))
            self._loaded = function, typing.get_type_hints(function).get(first, Any)
        return self._loaded

    def _send_frame(self, frame: bytes) -> None:
        try:
            self._sink.write(frame)
            self._sink.flush()
        except OSError:
            end()


def failed(error: BaseException) -> Failed:
    """What the parent is told about an exception."""
    match error:
        case TaskError():
            pass
        case OSError() if error.errno in NO_ROOM:
            error = no_room(error)
        case _ if out_of_memory(error):
            message = "The engine ran out of memory. Try again, or ask for something smaller."
            error = TaskError(Code.ENGINE_FAILED, message, detail=_trace(error), retryable=True)
        case _:
            message = "The engine failed because of an internal problem. Try again; if it stays, tell the operator."
            error = TaskError(Code.ENGINE_FAILED, message, detail=_trace(error), retryable=True)
    return Failed(error.code, error.message, error.param, error.detail, error.retryable, error.retry_after)


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed. OpenCV has an exception of its own for that; this module does not import it."""
    if type(error).__module__ == "cv2":
        return getattr(error, "code", None) == CV_NO_MEMORY or "bad_alloc" in str(error)
    return isinstance(error, MemoryError)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-DETAIL:]


def limit_memory(mib: int) -> None:
    """Let this process, and each that it starts, have so many MiB of addresses. A lower limit from outside stays."""
    _, highest = resource.getrlimit(resource.RLIMIT_AS)
    most = mib << 20
    if highest != resource.RLIM_INFINITY:
        most = min(most, highest)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def keep_memory() -> None:
    """Let this process reuse the memory of large pictures, where the C library can be told so."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def end() -> typing.NoReturn:
    """End this process at once, and whatever it started where it leads its process group."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def main() -> None:
    """Serve the function that the command line names until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then ends its children
    os.nice(10)  # the API comes first
    keep_memory()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if memory_mib := int(sys.argv[2]):
            limit_memory(memory_mib)
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    Server(sys.argv[1], source, sink).run()


if __name__ == "__main__":
    main()
