"""A receiver of webhooks as a process of its own: it appends what it got to a file, and answers only then.

    python -m chaos.receiver PORT FILE

Killed between the two, it has the delivery and the sender does not know: that must come again under the same id.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "darkroom-event")


class Handler(BaseHTTPRequestHandler):
    """Takes everything."""

    file: int
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionError("the sender was killed in the middle of it")
        line = json.dumps({"path": self.path, "body": body.decode(), **{name: self.headers[name] for name in HEADERS}})
        os.write(self.file, f"{line}\n".encode())
        self.send_response(204)
        self.end_headers()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the sender was killed
            super().handle()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    Handler.file = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
