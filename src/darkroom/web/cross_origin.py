"""Leave for pages of configured origins to read answers, and the answer to browsers that ask for it."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
ALLOWED = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer, X-Request-Id"
EXPOSED = "ETag, Retry-After, X-Request-Id"
REMEMBER = "86400"  # seconds that a browser may remember the answer to its question


class CrossOrigin:
    """Adds the headers; answers browsers that ask what they may do. `origins` may hold `*` for all."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request by `app`."""
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        added = self._leave(headers.get("origin"))
        if scope["method"] == "OPTIONS":
            pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in added.items()]
            await send({"type": "http.response.start", "status": 204, "headers": pairs})
            await send({"type": "http.response.body", "body": b""})
            return

        if not added:
            await app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": list(message["headers"])}
                MutableHeaders(scope=message).update(added)
            await send(message)

        await app(scope, receive, with_headers)

    def _leave(self, origin: str | None) -> dict[str, str]:
        """The headers that let pages of an origin read the answer."""
        if origin is None or not ("*" in self._origins or origin in self._origins):
            return {"Vary": "Origin"} if self._origins else {}
        # Cookies and the like only for pages that the operator named one by one.
        credentials = {"Access-Control-Allow-Credentials": "true"} if origin in self._origins else {}
        return credentials | {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": ALLOWED,
            "Access-Control-Expose-Headers": EXPOSED,
            "Access-Control-Max-Age": REMEMBER,
            "Vary": "Origin",
        }
