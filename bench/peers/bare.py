"""The ceiling: a protocol written by hand on uvloop and httptools that can do nothing but answer status polls.

It does a poll's work and no more: sha256 of the key, the account from memory, one sqlite3 read of the columns that the
answer needs, a signed link, JSON by msgspec. With BENCH_REMEMBER=1 it cheats as well as Darkroom does: it keeps each
answer and only reads account and version of the row.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import sqlite3
import sys
import time

import httptools
import msgspec
import uvloop

SECRET = b"a secret of at least 32 bytes....."
HOUR, DAY = 3_600_000, 86_400_000  # milliseconds
TASK = "SELECT account_id, progress, created_at, finished_at, artifacts FROM task WHERE public_id = ?"
GLANCE = "SELECT account_id, version FROM task WHERE public_id = ?"
KEYS = "SELECT digest, account_id FROM key_secret JOIN api_key ON id = key_id WHERE revoked_at IS NULL"
REFUSED = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"

connection = sqlite3.connect(os.environ["BENCH_DATABASE"], isolation_level=None)
accounts: dict[str, str] = dict(connection.execute(KEYS).fetchall())
remember = os.environ.get("BENCH_REMEMBER") == "1"
remembered: dict[tuple[bytes, bytes], tuple[tuple[str, int], bytes]] = {}


class Image(msgspec.Struct):
    url: str
    file_id: str


class Result(msgspec.Struct):
    created: int
    data: list[Image]


class TaskAnswer(msgspec.Struct):
    id: str
    task_id: str
    object: str
    status: str
    progress: int
    created_at: int
    completed_at: int
    result: Result


class Artifact(msgspec.Struct):
    key: str


encode = msgspec.json.Encoder().encode
artifacts_of = msgspec.json.Decoder(list[Artifact]).decode


def sign(path: str) -> str:
    expires = -(-(time.time_ns() // 1_000_000 + DAY) // HOUR) * HOUR
    digest = hmac.digest(SECRET, f"{path}\n{expires}".encode(), "sha256").hex()[:24]
    return f"exp={expires}&sig={digest}"


def answer(url: bytes, authorization: bytes, host: bytes) -> bytes:
    """The whole answer to a poll."""
    account_id = accounts.get(hashlib.sha256(authorization[7:]).hexdigest())
    public_id = url[10:].decode()
    if remember:
        known = remembered.get((url, host))
        if known is not None and connection.execute(GLANCE, (public_id,)).fetchone() == known[0]:
            return known[1] if known[0][0] == account_id else REFUSED
    row = connection.execute(TASK, (public_id,)).fetchone()
    if account_id is None or row is None or row[0] != account_id:
        return REFUSED
    _, progress, created, finished, artifacts = row
    data = []
    for index in range(len(artifacts_of(artifacts))):
        path = f"/p/img/{public_id}/{index}"
        name = hashlib.sha256(f"{public_id}/{index}".encode()).hexdigest()[:32]
        data.append(Image(f"http://{host.decode()}{path}?{sign(path)}", f"file_{name}"))
    result = Result(created // 1000, data)
    body = encode(
        TaskAnswer(public_id, public_id, "image.task", "succeeded", progress, created // 1000, finished // 1000, result)
    )
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    if remember:
        remembered[url, host] = connection.execute(GLANCE, (public_id,)).fetchone(), whole
    return whole


class Poll(asyncio.Protocol):
    """One connection."""

    __slots__ = ("authorization", "host", "parser", "transport", "url")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.authorization = self.host = self.url = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"authorization":
            self.authorization = value
        elif name == b"host":
            self.host = value

    def on_message_complete(self) -> None:
        self.transport.write(answer(self.url, self.authorization, self.host))  # type: ignore[attr-defined]


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Poll, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
