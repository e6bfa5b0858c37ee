"""Stores in the cloud: how they are reached, how long they may take, and where they hand out files themselves.

What the settings leave empty is taken from the environment, by the names that the clouds' own tools use (`AWS_…`,
`GOOGLE_…`, `AZURE_…`); what is only there, such as roles and encryption, the storage library reads by itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import obstore
from obstore.store import AzureStore, GCSStore, S3Store

from .presigned import Presigner

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

SCHEMES = ("s3", "gs", "az")
CONNECT = 5.0  # seconds
WHOLE = timedelta(hours=1)  # for a file that is read as slowly as its reader takes it
RETRIES = 5  # of one request
CloudStore = S3Store | GCSStore | AzureStore
TRUE = ("1", "true", "on", "yes", "y")
LINKED = 3600  # seconds that a link to the storage itself works, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """How a store in the cloud is reached: the settings `objects_…` by their names. `seconds` bound its silence."""

    endpoint: str = ""
    public_endpoint: str = ""
    region: str = ""
    key_id: str = ""
    secret: str = field(default="", repr=False)
    allow_http: bool = False
    seconds: float = 30.0
    redirect: bool = True


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links to the storage itself: with content type and name where the keys are known, or else without."""

    store: CloudStore
    presigner: Presigner | None = None

    async def url(
        self, method: str, key: str, *, until: int, now: int, media_type: str, disposition: str
    ) -> str | None:
        """A link that works from `now` on and never after `until`, both UTC milliseconds; `None` if there is none."""
        seconds = min(LINKED, until // 1000 - now // 1000)
        if seconds < 1:
            return None
        if self.presigner is not None:
            answer = {"content-type": media_type, "content-disposition": disposition}
            return self.presigner.url(method, key, seconds, now // 1000, answer)
        if disposition.startswith("attachment"):  # which nothing says to the browser
            return None
        return await obstore.sign_async(
            self.store, "HEAD" if method == "HEAD" else "GET", key, timedelta(seconds=seconds)
        )

    async def url_to_put(self, key: str, *, until: int, now: int) -> str | None:
        """A link by which a file may be stored, until a time; `None` if there is none. Azure wants more than a link."""
        seconds = min(LINKED, until // 1000 - now // 1000)
        if seconds < 1 or isinstance(self.store, AzureStore):
            return None
        if self.presigner is not None:
            return self.presigner.url("PUT", key, seconds, now // 1000)
        return await obstore.sign_async(self.store, "PUT", key, timedelta(seconds=seconds))


def open_cloud(url: str, cloud: Cloud) -> tuple[CloudStore, Links | None]:
    """The store at an `s3://`, `gs://` or `az://` URL, and its links. A `ValueError` says what is wrong."""
    client: ClientConfig = {
        "allow_http": cloud.allow_http,
        "connect_timeout": timedelta(seconds=min(CONNECT, cloud.seconds)),
        "read_timeout": timedelta(seconds=cloud.seconds),
        "timeout": WHOLE,
    }
    retry: RetryConfig = {
        "max_retries": RETRIES,
        "retry_timeout": timedelta(seconds=2 * cloud.seconds),
        "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5), "base": 2},
    }
    parts = urlsplit(url)
    if not parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{url!r} names no bucket: write {parts.scheme}://BUCKET or {parts.scheme}://BUCKET/PREFIX")
    if parts.scheme == "s3":
        return _open_s3(parts.netloc, unquote(parts.path).strip("/"), cloud, client, retry)
    if cloud.endpoint or cloud.public_endpoint or cloud.region or cloud.key_id:
        raise ValueError(f"an endpoint, a region and a key are set for s3:// alone; {parts.scheme}:// has none of them")
    kind = GCSStore if parts.scheme == "gs" else AzureStore
    store = kind.from_url(url, client_options=client, retry_config=retry)
    return store, Links(store) if cloud.redirect else None


def _open_s3(
    bucket: str, prefix: str, cloud: Cloud, client: ClientConfig, retry: RetryConfig
) -> tuple[S3Store, Links | None]:
    endpoint = cloud.endpoint or variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    public = cloud.public_endpoint or endpoint
    allow_http = cloud.allow_http or variable("AWS_ALLOW_HTTP").lower() in TRUE
    for address in (endpoint, public):
        check_endpoint(address, allow_http)
    client = {**client, "allow_http": allow_http}
    region = cloud.region or variable("AWS_REGION", "AWS_DEFAULT_REGION") or "us-east-1"
    key_id = cloud.key_id or variable("AWS_ACCESS_KEY_ID")
    secret = cloud.secret or variable("AWS_SECRET_ACCESS_KEY")
    if bool(key_id) != bool(secret):
        raise ValueError(
            "a key has two parts: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or objects_key_id and objects_secret"
        )

    def own() -> S3Credential:  # and no token that the environment has for other keys
        return {"access_key_id": key_id, "secret_access_key": secret, "token": None, "expires_at": None}

    def at(address: str) -> S3Store:
        options: S3Config = {"region": region}
        if address:
            options["aws_endpoint_url_s3"] = address.rstrip("/")
        return S3Store(
            bucket,
            prefix=prefix or None,
            config=options,
            client_options=client,
            retry_config=retry,
            credential_provider=own if cloud.key_id else None,
        )

    store = at(endpoint)
    if not cloud.redirect:
        return store, None
    presigner = None
    if key_id:
        token = "" if cloud.key_id else variable("AWS_SESSION_TOKEN", "AWS_TOKEN")
        place = base(bucket, region, public) + (f"/{quote(prefix, safe='/-_.~')}" if prefix else "")
        presigner = Presigner(place, region, key_id, secret, token)
    return store, Links(at(public), presigner)


def base(bucket: str, region: str, endpoint: str) -> str:
    """The URL of a bucket, as the storage library makes it."""
    own_host = variable("AWS_VIRTUAL_HOSTED_STYLE_REQUEST").lower() in TRUE
    if endpoint:
        return endpoint.rstrip("/") if own_host else f"{endpoint.rstrip('/')}/{bucket}"
    amazon = f"s3.{region}.amazonaws.com"
    return f"https://{bucket}.{amazon}" if own_host else f"https://{amazon}/{bucket}"


def check_endpoint(address: str, allow_http: bool) -> None:
    """Refuse what is no address, and plain http where nobody asked for it."""
    parts = urlsplit(address)
    if address and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError(f"{address!r} is no endpoint: write https://HOST or https://HOST:PORT")
    if parts.scheme == "http" and not allow_http:
        raise ValueError(
            f"{address} is plain http, which anybody on the way can read: use https, or set objects_allow_http = true"
        )


def variable(*names: str) -> str:
    """The first of these environment variables that is set."""
    return next((value for name in names if (value := os.environ.get(name, ""))), "")
