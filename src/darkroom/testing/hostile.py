"""Requests that no client of good will sends: what a dialect must refuse with a `TaskError` and nothing else.

Bodies, forms, queries, headers and path parameters are made of an endpoint's own field names and of values that break
careless parsers, of random JSON and of random bytes. The same requests come on every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ..core.commands import Command, TaskResult
from ..core.errors import TaskError
from ..core.task import State
from ..dialects import Dialect, Endpoint, FormFile, WireRequest
from . import tasks
from .exchange import BASE_URL, PARAM, encoded, refused, result_types, sign, valid_body

EXAMPLES = 40

AWKWARD = (
    *("", " ", "0", "-1", "1", "²", "٣", "9" * 5_000, "1e999", "nan", "inf", "null", "true", "[]", "{}", "\x00"),
    *("..", "../..", "%00", "💥", "1x", "x1", "0x0", "1x1", "1:0", "0:1", "1:1:1", "9" * 40 + "x1", "4k", "auto"),
    *("http://[", "http://", "https://example.com/a.png", "ftp://x", "data:;base64,%%%", "data:image/png;base64,AA=="),
    *(".", "a.b.c", "_", "a_-1", "a_1", "a_1.png", "_1.", ",", "a,,b", "Bearer", "Bearer ", "\r\nX: y", "queued"),
)
GENERAL_NAMES = ("exp", "sig", "wait", "limit", "cursor", "page", "async", "id")

texts = st.sampled_from(AWKWARD) | st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


def field_names(endpoint: Endpoint) -> tuple[str, ...]:
    """Every name that an endpoint says it reads, and those that many endpoints read."""
    struct = endpoint.request
    declared = struct.__struct_encode_fields__ if struct and issubclass(struct, msgspec.Struct) else ()
    return (*declared, *(field.name for field in endpoint.form), *GENERAL_NAMES)


def pairs(names: Sequence[str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Fields of a form or a query, repeated and unknown ones among them."""
    return st.lists(st.tuples(st.sampled_from(names) | texts, texts), max_size=6)


def bodies(names: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Bodies: random bytes, any JSON, and JSON objects with the right names and wrong values."""
    objects = st.dictionaries(st.sampled_from(names) | texts, values, max_size=8)
    return st.binary(max_size=40) | (values | objects).map(msgspec.json.encode) | st.just(b"[" * 3_000)


@st.composite
def hostile_requests(draw: st.DrawFn, endpoint: Endpoint) -> WireRequest:
    """A request that reached this endpoint and means harm."""
    names = field_names(endpoint)
    params = {name: draw(texts.filter(bool)) for name in PARAM.findall(endpoint.path)}
    query = draw(st.text(max_size=30) | pairs(names).map(lambda found: "&".join(f"{name}={v}" for name, v in found)))
    headers = st.sampled_from(("authorization", "content-type", "prefer", "idempotency-key", "x-api-key")) | st.text()
    uploads = st.builds(FormFile, st.sampled_from(names) | texts, texts, st.just(tasks.input_file()))
    return WireRequest(
        method=endpoint.method,
        path=PARAM.sub(lambda found: params[found.group(1)], endpoint.path),
        params=params,
        query_string=query,
        headers=draw(st.dictionaries(headers, texts, max_size=4)),
        body=draw(bodies(names)),
        form=tuple(draw(pairs(names))),
        files=tuple(draw(st.lists(uploads, max_size=3))) if endpoint.uploads else (),
        base_url=BASE_URL,
        sign=sign,
    )


def check_hostile_input(dialect: Dialect, endpoint: Endpoint) -> None:
    """`decode` gives a command or raises `TaskError`; what it took can be answered, what it refused can be worded."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(hostile_requests(endpoint))
    def attack(request: WireRequest) -> None:
        assert_credential(dialect.credential(request))
        try:
            command: Any = endpoint.decode(request)
        except TaskError as error:
            valid_body(refused(dialect, error, request))
            return
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise AssertionError(f"{endpoint.path}: decode raises {what}\nfor {request}") from error
        assert isinstance(command, get_args(Command)), f"{endpoint.path} decodes to {type(command).__name__}"
        if TaskResult in result_types(endpoint):
            done = tasks.task("example_id", State.SUCCEEDED, artifacts=(tasks.artifact(),))
            valid_body(encoded(endpoint, TaskResult(done), request))

    attack()


def assert_credential(found: object) -> None:
    """A credential is text with something in it, or `None`."""
    assert found is None or (isinstance(found, str) and found), f"{found!r} is no credential"
