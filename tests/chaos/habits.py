"""The eight clients: what each asks for, and how it behaves, as its vendor's clients do.

Two for each dialect. The native ones and those of dimilinks send an Idempotency-Key; those of tensorslab and muyuhan
know nothing of it and send the same bytes again until they are answered. Pictures are small, most work is the fake
engine's, some is drawn by a real one; `fake-process` and `procedural` work in child processes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image

from chaos.story import Sighting
from server.vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, Request, Vendor, form, picture_form

SUCCEEDS = frozenset({"succeeded"})
FAILS = frozenset({"failed"})
CANCELED = frozenset({"canceled"})
ANY = frozenset({"succeeded", "canceled"})
Then = Literal["nothing", "cancel", "delete", "delete at once"]


def picture(text: str, width: int = 24) -> bytes:
    """A small picture that no other text has: equal requests of one account are one task."""
    digest = hashlib.sha256(text.encode()).digest()
    file = io.BytesIO()
    Image.frombytes("RGB", (2, 2), digest[:12]).resize((width, 16), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Order:
    """One request: what is sent for a prompt, in which states it may end, and what its client does about it."""

    request: Callable[[str], Request]
    ends: frozenset[str] = SUCCEEDS
    then: Then = "nothing"
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Habit:
    """One client. Its orders are sent in turn; `key` sends an Idempotency-Key, `wait` holds status queries."""

    name: str
    vendor: Vendor
    orders: tuple[Order, ...]
    key: bool = False
    wait: float = 0
    follows: bool = False  # the task's stream of events, to its end
    own_webhook: bool = False  # each native request names its receiver, instead of one webhook for the account

    def sighting(self, body: Any) -> Sighting:
        """What an answer to a status query tells."""
        if self.vendor is NATIVE:
            return Sighting(body["state"], body["attempt"], body["progress"])
        return Sighting(self.vendor.state(body))


def native(model: str, **params: Any) -> Callable[[str], Request]:
    """A task of our own API; parameters of the engine are given as they are."""

    def request(prompt: str) -> Request:
        body = {"operation": "image.generate", "model": model, "params": {"prompt": prompt, "size": "32x32", **params}}
        return "POST", "/api/tasks", {"json": body}

    return request


def with_picture(path: str, field: str, **fields: str) -> Callable[[str], Request]:
    """A form with a picture."""
    return lambda prompt: ("POST", path, picture_form(field, "a.png", picture(prompt), prompt=prompt, **fields))


def two_pictures(prompt: str) -> Request:
    """muyuhan: a task for each of two pictures."""
    pictures = [("images", (f"{width}.png", picture(prompt, width))) for width in (24, 32)]
    return "POST", "/submitTask", {"files": [*pictures, *form(taskType="5", appId="app", udid="phone")["files"]]}


HABITS = (
    Habit(
        "native, following and canceling",
        NATIVE,
        (
            Order(native("procedural-v1")),
            Order(native("fake-process", outcome="hang"), CANCELED, "cancel"),
            Order(native("fake-process", steps=4, step_ms=60)),
            Order(native("fake", steps=2, step_ms=100), ANY, "cancel"),
        ),
        key=True,
        follows=True,
        own_webhook=True,
    ),
    Habit(
        "native, waiting and deleting",
        NATIVE,
        (
            Order(native("fake", steps=8, step_ms=50)),
            Order(native("fake-process", outcome="crash_once"), then="delete"),
            Order(native("fake", outcome="fail"), FAILS),
            Order(native("fake-process", steps=20, step_ms=40), then="delete at once"),
            Order(native("fake", outcome="fail_once")),
        ),
        key=True,
        wait=2,
    ),
    Habit("dimilinks, generating", DIMILINKS, (Order(DIMILINKS.submit),), key=True),
    Habit(
        "dimilinks, editing",
        DIMILINKS,
        (Order(with_picture("/v1/images/edits?async=true", "image")),),
        key=True,
        wait=2,
    ),
    Habit("tensorslab, deleting", TENSORSLAB, (Order(TENSORSLAB.submit), Order(TENSORSLAB.submit, then="delete"))),
    Habit(
        "tensorslab, editing",
        TENSORSLAB,
        (Order(with_picture("/v1/images/seedreamv4", "sourceImage", resolution="64x48")),),
    ),
    Habit("muyuhan, videos", MUYUHAN, (Order(MUYUHAN.submit),), wait=2),
    Habit("muyuhan, in parts", MUYUHAN, (Order(two_pictures, parts=2),)),
)
