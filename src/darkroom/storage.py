"""Object storage as the settings say, for the server and for commands beside it."""

from __future__ import annotations

from .config import Settings, SettingsError
from .objects import FAILURES, Objects, said
from .objects.cloud import Cloud


def cloud_of(settings: Settings) -> Cloud:
    """How the settings say that a store in the cloud is reached."""
    return Cloud(
        endpoint=settings.objects_endpoint,
        public_endpoint=settings.objects_public_endpoint,
        region=settings.objects_region,
        key_id=settings.objects_key_id,
        secret=settings.objects_secret,
        allow_http=settings.objects_allow_http,
        seconds=settings.objects_seconds,
        redirect=settings.objects_redirect and not settings.cdn_url,  # a cache is to get the files themselves
    )


def open_objects(settings: Settings, url: str = "") -> Objects:
    """The store at a URL, or at that of the settings. Raises `SettingsError`."""
    try:
        return Objects.open(url or settings.objects_url, cloud_of(settings))
    except (*FAILURES, ValueError) as error:
        raise SettingsError(f"objects: {said(error)}") from None


async def usable_objects(settings: Settings, url: str = "") -> Objects:
    """The same, once a file was written, read and removed there. Raises `SettingsError`."""
    objects = open_objects(settings, url)
    try:
        await objects.check()
    except ValueError as error:
        raise SettingsError(f"objects: {url or settings.objects_url}: {error}") from None
    return objects
