"""Settings: a TOML file, environment over file, flags over environment. Every problem is reported at once.

`darkroom.example.toml` lists each setting with its default and what it does; a test keeps the two equal.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from .core import pricing
from .core.access import networks
from .core.webhooks import RETRIES
from .marks.aigc import VALUE
from .marks.credentials import ALGORITHMS
from .marks.label import LONGEST, PLACES

PREFIX = "DARKROOM_"


class SettingsError(ValueError):
    """What is wrong with the settings, one problem a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Paths may be relative to the working directory.

    What may hold a secret is not shown.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    data: str = "./darkroom-data"
    database: str = field(default="", repr=False)  # it may hold a password
    database_seconds: float = 10.0
    hints: str = field(default="", repr=False)  # it may hold a password
    objects: str = ""
    objects_endpoint: str = ""
    objects_public_endpoint: str = ""
    objects_region: str = ""
    objects_key_id: str = ""
    objects_secret: str = field(default="", repr=False)
    objects_allow_http: bool = False
    objects_seconds: float = 30.0
    objects_redirect: bool = True
    public_url: str = ""
    workers: int = -1
    engines: tuple[str, ...] = ("procedural", "opencv")
    engine_memory_mib: int = 4096
    worker_models: tuple[str, ...] = ()
    worker_labels: tuple[str, ...] = ()
    lease_seconds: float = 30.0
    max_failures: int = 3
    retry_seconds: float = 1.0
    task_hours: float = 24.0
    schedule_days: float = 30.0
    affinity: int = 4
    link_hours: float = 24.0
    result_hours: float = 0.0
    cdn_url: str = ""
    repeat_seconds: float = 0.0
    initial_credits: int = 1000
    max_upload_mib: int = 50
    max_pixels: int = 50_000_000
    fetch_seconds: float = 20.0
    fetch_allow: tuple[str, ...] = ()
    webhook_seconds: float = 15.0
    webhook_retries: tuple[float, ...] = RETRIES
    webhook_allow: tuple[str, ...] = ()
    webhook_ca: str = ""
    webhook_log_days: float = 30.0
    mark_prompts: tuple[str, ...] = ()
    label: str = ""
    label_place: str = "bottom-right"
    label_font: str = ""
    aigc_producer: str = ""
    c2pa_key: str = ""
    c2pa_chain: str = ""
    c2pa_algorithm: str = "es256"
    c2pa_timestamp_url: str = ""
    device_credits: int = -1
    failed_logins: int = 100
    trusted_proxies: tuple[str, ...] = ()
    input_hours: float = 24.0
    cors_origins: tuple[str, ...] = ()
    metrics: str = "local"
    metrics_key: str = field(default="", repr=False)
    traces_url: str = field(default="", repr=False)
    ready_queue: int = 0
    drain_seconds: float = 0.0
    max_connections: int = 10_000
    moderators: tuple[str, ...] = ()
    moderation_url: str = field(default="", repr=False)
    moderation_key: str = field(default="", repr=False)
    moderation_seconds: float = 10.0
    moderation_fail: str = "closed"
    require_consent: bool = False
    log_level: str = "info"
    defaults: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    prices: dict[str, int | dict[str, Any]] = field(default_factory=dict)
    retention: dict[str, float] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    requires: dict[str, tuple[str, ...]] = field(default_factory=dict)
    mounts: dict[str, str] = field(default_factory=dict)
    engine: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    dialect: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    @property
    def data_dir(self) -> Path:
        """The folder that everything lies in unless it is set otherwise."""
        return Path(self.data).resolve()

    @property
    def database_url(self) -> str:
        """The database: SQLite in the data folder by default."""
        return self.database or f"sqlite:{self.data_dir / 'darkroom.db'}"

    @property
    def objects_url(self) -> str:
        """Where results are stored: a folder in the data folder by default."""
        return self.objects or str(self.data_dir / "objects")

    @property
    def worker_count(self) -> int:
        """How many tasks run at once here: one per core by default."""
        return self.workers if self.workers >= 0 else os.cpu_count() or 1


DEFAULTS = Settings()
NAMES = tuple(Settings.__dataclass_fields__)


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> Settings:
    """Settings from all three sources. Raises `SettingsError` with everything that is wrong."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for source, given in (
        (str(file), from_file(file, problems)),
        ("the environment", from_environment(environment)),
        ("the command line", {name: value for name, value in flags.items() if value is not None}),
    ):
        for name, value in given.items():
            if name not in NAMES:
                problems.append(unknown(name, source))
                continue
            try:
                values[name] = convert(name, value)
            except msgspec.ValidationError as error:
                problems.append(f"{name} (from {source}): {error}")
    settings = Settings(**values)
    problems += check(settings)
    if not problems:
        return settings
    raise SettingsError("\n".join(problems))


def from_file(file: Path | None, problems: list[str]) -> dict[str, Any]:
    """The table of a TOML file."""
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        problems.append(f"cannot read {file}: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file} is not valid TOML: {error}")
    return {}


def from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`DARKROOM_PORT` and its like. `DARKROOM_SERVER` and its like are the command line's."""
    given = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)}
    return {name: value for name, value in given.items() if name not in ("server", "key", "token", "config")}


def convert(name: str, value: Any) -> Any:
    """A value as the setting's type. Text from the environment may be a number, a comma list or a TOML inline table."""
    target, strict = type(getattr(DEFAULTS, name)), not isinstance(value, str)
    if isinstance(value, str) and target is tuple:
        value = [part.strip() for part in value.split(",") if part.strip()]
    elif isinstance(value, str) and target is dict:
        try:
            value = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            raise msgspec.ValidationError('expected a table such as {"name" = "value"}') from None
    return msgspec.convert(value, TYPES[name], strict=strict)


TYPES: dict[str, Any] = {
    "engines": tuple[str, ...],
    "fetch_allow": tuple[str, ...],
    "webhook_allow": tuple[str, ...],
    "webhook_retries": tuple[float, ...],
    "defaults": dict[str, str],
    "aliases": dict[str, str],
    "prices": dict[str, int | dict[str, Any]],
    "trusted_proxies": tuple[str, ...],
    "retention": dict[str, float],
    "limits": dict[str, int],
    "requires": dict[str, tuple[str, ...]],
    "mounts": dict[str, str],
    "engine": dict[str, dict[str, Any]],
    "dialect": dict[str, dict[str, Any]],
    "cors_origins": tuple[str, ...],
    "mark_prompts": tuple[str, ...],
    "moderators": tuple[str, ...],
    "worker_models": tuple[str, ...],
    "worker_labels": tuple[str, ...],
}
TYPES |= {name: type(getattr(DEFAULTS, name)) for name in NAMES if name not in TYPES}

RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65535),
    "workers": (-1, 1024),
    "engine_memory_mib": (0, 1 << 24),
    "database_seconds": (1, 600),
    "objects_seconds": (1, 600),
    "lease_seconds": (0.5, 3600),
    "max_failures": (1, 100),
    "retry_seconds": (0, 3600),
    "task_hours": (0.001, 24 * 365),
    "schedule_days": (0, 3650),
    "affinity": (0, 10_000),
    "link_hours": (0.01, 24 * 365),
    "result_hours": (0, 24 * 3650),
    "repeat_seconds": (0, 3600),
    "initial_credits": (0, 10**15),
    "device_credits": (-1, 10**9),
    "failed_logins": (0, 10**6),
    "input_hours": (0, 24 * 365),
    "max_upload_mib": (1, 10_000),
    "max_pixels": (1, 10**9),
    "fetch_seconds": (0.1, 600),
    "webhook_seconds": (0.1, 30),
    "webhook_log_days": (0, 3650),
    "ready_queue": (0, 20_000),
    "drain_seconds": (0, 3600),
    "moderation_seconds": (0.1, 600),
    "max_connections": (1, 1_000_000),
}
MOST_RUNNING = 1_000_000  # tasks of one model
SHORTEST_KEY = 16  # characters of a secret that an operator makes up


def check(settings: Settings) -> list[str]:
    """What no type can say."""
    problems = []
    for name, (low, high) in RANGES.items():
        if not low <= getattr(settings, name) <= high:
            problems.append(f"{name} must be from {low:.9g} to {high:.9g}")
    problems += check_access(settings)
    no_paths = [prefix for prefix in settings.mounts if not prefix.startswith("/") or "{" in prefix]
    problems += [f'mounts: {prefix!r} must be a path such as "/vendor"' for prefix in no_paths]
    if not settings.data:
        problems.append("data must name a folder")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        problems.append("log_level is one of debug, info, warning, error")
    if settings.public_url and not settings.public_url.startswith(("http://", "https://")):
        problems.append("public_url must begin with http:// or https://")
    if settings.cdn_url and not settings.cdn_url.startswith(("http://", "https://")):
        problems.append("cdn_url must begin with http:// or https://")
    if not all(0 <= seconds <= 24 * 3600 for seconds in settings.webhook_retries):
        problems.append("webhook_retries are seconds, each from 0 to 86400")
    low, high = RANGES["result_hours"]
    wrong = [name for name, hours in settings.retention.items() if not low <= hours <= high]
    problems += [f"retention: that of {name!r} must be from {low:.9g} to {high:.9g}" for name in wrong]
    unfit = [name for name, tasks in settings.limits.items() if not 0 <= tasks <= MOST_RUNNING]
    problems += [f"limits: that of {name!r} must be from 0 to {MOST_RUNNING}" for name in unfit]
    if settings.hints and not settings.hints.startswith(("nats://", "tls://")):
        problems.append("hints must be nats://HOST:PORT, or empty")
    if settings.database and not settings.database.startswith(("sqlite:", "postgresql://", "postgres://")):
        problems.append("database must be sqlite:PATH or postgresql://HOST/NAME")
    return problems + check_watching(settings) + check_provenance(settings)


def check_watching(settings: Settings) -> list[str]:
    """What is wrong with who watches the server and its content."""
    problems = []
    if settings.metrics not in ("off", "local", "open"):
        problems.append("metrics is one of off, local, open")
    if settings.metrics_key and (len(settings.metrics_key) < SHORTEST_KEY or not settings.metrics_key.isascii()):
        problems.append(f"metrics_key must have {SHORTEST_KEY} ASCII characters or more, so that nobody guesses it")
    urls = {"traces_url": settings.traces_url, "moderation_url": settings.moderation_url}
    problems += [
        f"{name} must begin with http:// or https://"
        for name, url in urls.items()
        if url and not url.startswith(("http://", "https://"))
    ]
    if settings.moderation_fail not in ("closed", "open"):
        problems.append("moderation_fail is one of closed, open")
    return problems


def check_access(settings: Settings) -> list[str]:
    """What is wrong with prices, and with whose word about addresses is taken."""
    problems = []
    for model, price in settings.prices.items():
        try:
            pricing.parse(price)
        except ValueError as error:
            problems.append(f"prices: that of {model!r}: {error}")
    try:
        networks(settings.trusted_proxies)
    except ValueError as error:
        problems.append(f'trusted_proxies takes addresses such as "10.1.2.3" or "10.1.0.0/16": {error}')
    return problems


def check_provenance(settings: Settings) -> list[str]:
    """What is wrong with what results are to tell, as far as the settings alone show."""
    problems = []
    if len(settings.label) > LONGEST or not settings.label.isprintable() or settings.label != settings.label.strip():
        problems.append(f"label must be up to {LONGEST} characters in one line, without spaces around them")
    if settings.label_place not in PLACES:
        problems.append(f"label_place is one of {', '.join(PLACES)}")
    if settings.aigc_producer and not VALUE.fullmatch(settings.aigc_producer):
        problems.append(
            "aigc_producer must be up to 128 visible ASCII characters without spaces, quotation marks and backslashes: "
            "a name with others has a code"
        )
    if bool(settings.c2pa_key) != bool(settings.c2pa_chain):
        problems.append("c2pa_key and c2pa_chain belong together: set both, or neither")
    if settings.c2pa_algorithm not in ALGORITHMS:
        problems.append(f"c2pa_algorithm is one of {', '.join(ALGORITHMS)}")
    if settings.c2pa_timestamp_url and not settings.c2pa_timestamp_url.startswith(("http://", "https://")):
        problems.append("c2pa_timestamp_url must begin with http:// or https://")
    return problems


def unknown(name: str, source: str) -> str:
    """A setting that does not exist, with the nearest that does."""
    near = difflib.get_close_matches(name, NAMES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see darkroom.example.toml"
    return f"unknown setting {name!r} (from {source}): {hint}"
