"""Requests to a dialect and their answers, without a server: the plain data that `decode` and `encode` work on."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec

from ..core.errors import TaskError
from ..dialects import Dialect, Endpoint, FormFile, WireRequest, WireResponse, not_encoded
from ..web.openapi import members
from .tasks import SECRET

BASE_URL = "https://darkroom.example"
SIGNATURE = "exp=1777166400000&sig=0123456789abcdef0123456789abcdef"
PARAM = re.compile(r"\{([^}:]+)[^}]*\}")


def sign(_path: str) -> str:
    """The query of every link that the kit signs."""
    return SIGNATURE


def route(dialect: Dialect, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
    """The endpoint that answers this method and path, and the parameters in the path; the first one wins."""
    for endpoint in dialect.endpoints:
        names = PARAM.findall(endpoint.path)
        literals = [re.escape(text) for text in PARAM.sub("\0", endpoint.path).split("\0")]
        found = re.fullmatch("([^/]+)".join(literals), path)
        if found and endpoint.method == method:
            return endpoint, dict(zip(names, found.groups(), strict=True))
    return None


def ask(
    dialect: Dialect,
    method: str,
    target: str,
    *,
    body: Any = None,
    form: Sequence[tuple[str, str]] = (),
    files: Sequence[FormFile] = (),
    headers: Mapping[str, str] | None = None,
) -> tuple[Endpoint, WireRequest]:
    """The endpoint for a request, and the request as the server would hand it over.

    `target` is the path with its query; `body` is bytes, or plain data to be sent as JSON.
    """
    parts = urlsplit(target)
    found = route(dialect, method, parts.path)
    if found is None:
        raise AssertionError(f"{dialect.name} has no endpoint {method} {parts.path}")
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    request = WireRequest(
        method=method,
        path=parts.path,
        params=found[1],
        query_string=parts.query,
        headers={name.lower(): value for name, value in (headers or {}).items()},
        body=raw,
        form=tuple(form),
        files=tuple(files),
        base_url=BASE_URL,
        sign=sign,
    )
    return found[0], request


def result_types(endpoint: Endpoint) -> tuple[Any, ...]:
    """The results that an endpoint encodes, from the annotation of its `encode`; none where it answers with a file."""
    if endpoint.encode is not_encoded:
        return ()
    hints = get_type_hints(endpoint.encode)
    hints.pop("return", None)
    if not hints:
        raise AssertionError(f"{endpoint.path}: annotate the first parameter of its encode with the result's type")
    hint = next(iter(hints.values()))
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def sample_request(endpoint: Endpoint, public_id: str = "example_id") -> WireRequest:
    """A plain request to an endpoint, with `public_id` for each parameter of its path."""
    return WireRequest(
        method=endpoint.method,
        path=PARAM.sub(public_id, endpoint.path),
        params=dict.fromkeys(PARAM.findall(endpoint.path), public_id),
        headers={"content-type": "application/json"},
        body=b"{}",
        base_url=BASE_URL,
        sign=sign,
    )


def encoded(endpoint: Endpoint, result: Any, request: WireRequest) -> WireResponse:
    """What an endpoint answers to a result; it must have an answer to each."""
    try:
        return endpoint.encode(result, request)
    except Exception as error:
        what = type(result).__name__
        task = getattr(result, "task", None)
        if task is not None:
            what = f"a task that is {task.state}" + (f" ({task.failure.code})" if task.failure else "")
        raise AssertionError(
            f"{endpoint.method} {endpoint.path} has no answer for {what}: {type(error).__name__}: {error}"
        ) from error


def refused(dialect: Dialect, error: TaskError, request: WireRequest) -> WireResponse:
    """What a dialect answers to an error; it must have an answer to each."""
    try:
        return dialect.encode_error(error, request)
    except Exception as bug:
        raise AssertionError(
            f"{dialect.name} has no answer for the error '{error.code}': {type(bug).__name__}: {bug}"
        ) from bug


def check_answer(dialect: Dialect, endpoint: Endpoint, response: WireResponse, *, refusal: bool = False) -> None:
    """Assert that an answer is what the endpoint describes: its status, and the struct of its body.

    A task that failed may be answered as a refusal.
    """
    place = f"{dialect.name} {endpoint.method} {endpoint.path}"
    body = valid_body(response)
    if refusal or response.status >= 400:
        shapes = members(dialect.error)
    else:
        assert response.status == endpoint.status, (
            f"{place} answers {response.status}, but its `status` says {endpoint.status}: one of them is wrong"
        )
        shapes = members(endpoint.response)
    if body is not None and shapes:
        problems = [problem for shape in shapes if (problem := mismatch(response.body, shape))]
        assert len(problems) < len(shapes), f"{place} answers what it does not describe: {'; '.join(problems)}"


def mismatch(body: bytes, shape: Any) -> str | None:
    """Why a body is not of this struct; `None` where it is."""
    try:
        msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        return f"{getattr(shape, '__name__', shape)}: {error}"
    return None


def check_links(response: WireResponse) -> None:
    """Assert that signed links have a scheme and a host, so that any client can follow them."""
    for place, value in leaves(response).items():
        if isinstance(value, str) and SIGNATURE in value:
            assert f"{BASE_URL}/" in value.partition(SIGNATURE)[0], (
                f"{place.removeprefix('.')} is {value!r}, which leads nowhere: make links with `request.link(path)`"
            )


def leaves(response: WireResponse) -> dict[str, Any]:
    """Every value of an answer by its place, its HTTP status among them."""
    found: dict[str, Any] = {"(http status)": response.status}

    def walk(place: str, value: Any) -> None:
        if isinstance(value, dict | list):
            for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
                walk(f"{place}.{name}", inner)
        else:
            found[place] = value

    walk("", valid_body(response))
    return found


def valid_body(response: WireResponse) -> Any:
    """The body as plain data, `None` where it is empty; HTTP status and privacy are checked too."""
    assert 200 <= response.status < 600, f"{response.status} is no HTTP status to answer with"
    text = response.body.decode() + "".join(f"{name}: {value}\n" for name, value in response.headers)
    assert SECRET not in text, f"an answer shows what is private: {text}"
    if not response.body:
        return None
    try:
        return json.loads(response.body, parse_constant=refuse_constant)
    except ValueError as error:
        raise AssertionError(f"an answer is not valid JSON ({error}): {response.body!r}") from None


def refuse_constant(name: str) -> Any:
    """NaN and Infinity are not JSON, though Python reads them."""
    raise ValueError(f"{name} is not JSON")
