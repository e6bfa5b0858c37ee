"""What an operator says about a vendor in `[engine]`: where it is, the key, and the limits of what is fetched from it.

Nothing here shows the key: not the options' `repr`, and no error about them.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

KEY = re.compile(r"[\x21-\x7e]+")  # what a header can carry


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One vendor. `poll_seconds` is the first pause between looks, `max_result_mib` the largest result file.

    `allow` names networks (CIDR) that links to results may lead to although they are not public. `idempotent` says that
    the vendor honours `Idempotency-Key`, so that a submit whose answer was lost may be sent again.
    """

    base_url: str
    key: str = field(default="", repr=False)
    poll_seconds: float = 1.0
    max_result_mib: int = 1024
    allow: tuple[str, ...] = ()
    idempotent: bool = False


def read(engine: str, given: Mapping[str, Any], base_url: str = "") -> Options:
    """The table of an engine, checked; `base_url` is the vendor's own, where it is known.

    `ValueError` says what is wrong. Address and key may be missing: a server that does no work needs neither of them.
    """
    for name in given:
        if name not in CHECKS:
            near = difflib.get_close_matches(name, CHECKS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(CHECKS)}"
            raise ValueError(f"the engine {engine} has no option {name!r}: {hint}")
        wanted, fits = CHECKS[name]
        if not fits(given[name]):
            raise ValueError(f"the option {name} of the engine {engine} must be {wanted}")
    address = str(given.get("base_url", base_url)).rstrip("/")
    return Options(**{**given, "base_url": address, "allow": tuple(given.get("allow", ()))})


def _is_address(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def _are_networks(value: Any) -> bool:
    try:
        return isinstance(value, list) and all(isinstance(each, str) and ip_network(each) for each in value)
    except ValueError:
        return False


def _is_pause(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0.01 <= value <= 60


CHECKS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "base_url": ("an address such as https://api.example.com, without user name or password", _is_address),
    "key": ("the vendor's key, without blanks", lambda value: isinstance(value, str) and bool(KEY.fullmatch(value))),
    "poll_seconds": ("a number from 0.01 to 60", _is_pause),
    "max_result_mib": ("a whole number from 1 to 65536", lambda value: type(value) is int and 1 <= value <= 65536),
    "allow": ('a list of networks such as ["10.1.0.0/16"]', _are_networks),
    "idempotent": ("true or false", lambda value: isinstance(value, bool)),
}
