"""What the settings describe, made: engines, catalog, dialects, and what results are to tell. What is wrong is told.

For whoever composes them: a server (`app`), or a worker elsewhere (`remote`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import engines
from .addresses import Addresses
from .config import Settings, SettingsError
from .core import pricing
from .core.catalog import Catalog
from .core.machine import Retention
from .dialects import Dialect, discover
from .engines import Engine, EngineSettings
from .engines._process import Child
from .hints import Connect
from .marks import Credentials, Label, Provenance
from .moderation import Moderation, moderators
from .objects.signing import Signer
from .signing_keys import load as load_keys
from .store import Store

HOUR = 3_600_000  # milliseconds


@contextmanager
def blamed_on(names: str) -> Iterator[None]:
    """Turn what a part says about its settings into a `SettingsError`."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise SettingsError(f"{names}: {str(error).partition(chr(10))[0]}") from None


def make_dialects(settings: Settings) -> tuple[Dialect, ...]:
    """The dialects, each with its own table of the settings."""
    found = {dialect.name: dialect for dialect in discover()}
    if unknown := sorted(settings.dialect.keys() - found.keys()):
        raise SettingsError(f"dialect: there is no dialect {unknown[0]!r}; there are: {', '.join(found)}")
    for name, options in settings.dialect.items():
        configure = found[name].configure
        if configure is None:
            raise SettingsError(f"dialect: {name!r} takes no options")
        with blamed_on(f"dialect.{name}"):
            found[name] = configure(options)
    return tuple(found.values())


def make_engines(settings: Settings) -> list[Engine]:
    """The engines, each with its own table of the settings."""
    if unknown := sorted(settings.engine.keys() - engines.names()):
        raise SettingsError(f"engine: there is no engine {unknown[0]!r}; there are: {', '.join(engines.names())}")
    made = []
    for name in settings.engines:
        options = dict(settings.engine.get(name, {}))
        slots = options.pop("slots", max(1, settings.worker_count))
        if type(slots) is not int or slots < 1:
            raise SettingsError(f"engine: slots of {name!r} must be a whole number from 1")
        with blamed_on("engines"):
            made.append(engines.create(name, EngineSettings(slots, options, settings.engine_memory_mib)))
    return made


def make_catalog(settings: Settings, made: Sequence[Engine], dialects: Sequence[Dialect]) -> Catalog:
    """The models of all engines, with names, defaults and prices from the settings."""
    with blamed_on("defaults, aliases or prices"):
        return Catalog(
            (model for engine in made for model in engine.models()),
            defaults=settings.defaults,
            aliases=settings.aliases,
            prices={model: pricing.parse(price) for model, price in settings.prices.items()},
            vendor_names=(name for dialect in dialects for name in dialect.models),
        )


def check_limits(settings: Settings, catalog: Catalog) -> None:
    """Refuse names that are no model: nothing would be limited as its operator means."""
    if unknown := [name for name in settings.limits if catalog.model(name) is None]:
        names = ", ".join(model.name for model in catalog.models)
        raise SettingsError(f"limits: there is no model {unknown[0]!r}; there are: {names}")


def make_moderation(settings: Settings) -> Moderation:
    """Who is asked about content."""
    seconds = settings.moderation_seconds
    asked = moderators(settings.moderators, settings.moderation_url, settings.moderation_key, seconds)
    return Moderation(asked, seconds=seconds, closed=settings.moderation_fail == "closed")


def make_retention(settings: Settings) -> Retention:
    """How long results are kept."""
    named = {name: int(hours * HOUR) for name, hours in settings.retention.items()}
    return Retention(int(settings.result_hours * HOUR), named)


async def check_retention(settings: Settings, store: Store, catalog: Catalog) -> None:
    """Refuse names that are neither a model nor an account: nothing would be kept as its operator means."""
    for name in settings.retention:
        if catalog.model(name) is None and await store.account(name) is None:
            raise SettingsError(f"retention: there is no model and no account {name!r}")


async def make_signer(store: Store, settings: Settings, now: int) -> Signer:
    """The signer of result links; its first key is made here."""
    lifetime = int(settings.link_hours * HOUR)
    period = min(HOUR, lifetime)
    keys = await load_keys(store, lifetime + period, now)
    return Signer(keys, period_ms=period, lifetime_ms=lifetime)


async def make_provenance(settings: Settings) -> Provenance:
    """What results are to tell; in a server that makes some, font, key and certificates are tried."""
    provenance = provenance_of(settings)
    if settings.worker_count and (provenance.label or provenance.credentials):
        child = Child("darkroom.marks.checks:problems", settings.engine_memory_mib)
        try:
            problems = await child.call(provenance, list[str])
        finally:
            await child.close()
        if problems:
            raise SettingsError("\n".join(problems))
    return provenance


def provenance_of(settings: Settings) -> Provenance:
    """What results are to tell, as the settings say."""
    font = Path(settings.label_font).resolve() if settings.label_font else None
    signer = Credentials(
        Path(settings.c2pa_key).resolve(),
        Path(settings.c2pa_chain).resolve(),
        settings.c2pa_algorithm,
        settings.c2pa_timestamp_url,
    )
    return Provenance(
        prompts=settings.mark_prompts,
        producer=settings.aigc_producer,
        label=Label(settings.label, settings.label_place, font) if settings.label else None,
        credentials=signer if settings.c2pa_key else None,
    )


def addresses(settings: Settings) -> Addresses:
    """Where links lead."""
    return Addresses(settings.public_url.rstrip("/"), settings.cdn_url.rstrip("/"))


def line_of(settings: Settings) -> Connect | None:
    """What hints travel by between servers; `None` for one that has its database for itself."""
    if settings.hints:
        from .nats_hints import by_nats  # with its driver

        with blamed_on("hints"):
            return by_nats(settings.hints)
    if settings.database_url.startswith("sqlite:"):
        return None
    from .store.hints import by_notify  # with its driver

    return by_notify(settings.database_url)
