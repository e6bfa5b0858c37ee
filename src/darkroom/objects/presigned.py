"""Presigned URLs of S3: who holds one may read that one object, with that one method, until it expires.

Signature version 4 in the query string. The storage library signs, too, but cannot say which content type and file name
the answer has; here both come with the URL, so that it does not matter what the object was stored with.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

LONGEST = 7 * 24 * 3600  # seconds that S3 allows
ALGORITHM = "AWS4-HMAC-SHA256"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Presigner:
    """Signs for one bucket, whose URL is `base`, without a slash at its end. `token` belongs to temporary keys."""

    base: str
    region: str
    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)

    def url(self, method: str, key: str, seconds: int, now: int, answer: Mapping[str, str] | None = None) -> str:
        """A URL that is good for so many seconds from `now`, in seconds since 1970.

        `answer` has headers that the answer is to have, such as `content-type`.
        """
        if not 1 <= seconds <= LONGEST:
            raise ValueError(f"a presigned URL lives for 1 to {LONGEST} seconds, and not {seconds}")
        parts = urlsplit(self.base)
        host = parts.netloc.lower().removesuffix(DEFAULT_PORTS.get(parts.scheme, ":"))
        path = f"{parts.path}/{quote(key, safe='/-_.~')}"
        time = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{time[:8]}/{self.region}/s3/aws4_request"
        query = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.key_id}/{scope}",
            "X-Amz-Date": time,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": "host",
            **({"X-Amz-Security-Token": self.token} if self.token else {}),
            **{f"response-{name}": value for name, value in (answer or {}).items()},
        }
        text = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in sorted(query.items()))
        request = f"{method}\n{path}\n{text}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        signed = f"{ALGORITHM}\n{time}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        secret = f"AWS4{self.secret}".encode()
        for step in (time[:8], self.region, "s3", "aws4_request"):
            secret = hmac.digest(secret, step.encode(), "sha256")
        signature = hmac.digest(secret, signed.encode(), "sha256").hex()
        return f"{parts.scheme}://{host}{path}?{text}&X-Amz-Signature={signature}"


def encoded(text: str) -> str:
    """Text as the signature wants it in a query."""
    return quote(text, safe="-_.~")
