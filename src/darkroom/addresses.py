"""Where links lead: to this server as its callers know it, and to files by way of a cache, if there is one."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Addresses:
    """The settings `public_url` and `cdn_url`, without a slash at their ends; empty: as a request came in, and none."""

    public_url: str = ""
    cdn_url: str = ""

    def base(self, origin: str, mount: str) -> str:
        """Where a dialect answers, for who came by way of `origin`."""
        return (self.public_url or origin) + mount

    def files(self, base: str) -> str:
        """Where links to files begin in place of `base`, which is one of `base()`; empty: there."""
        if not self.cdn_url:
            return ""
        known = self.public_url and base.startswith(self.public_url)
        return self.cdn_url + (base.removeprefix(self.public_url) if known else urlsplit(base).path)


AS_ASKED = Addresses()
