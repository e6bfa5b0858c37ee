"""Every dialect keeps the contract: the conformance kit over all that are discovered."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkroom.dialects import Dialect, Endpoint, discover
from darkroom.testing import dialects as kit
from darkroom.testing.hostile import check_hostile_input
from darkroom.testing.transcripts import Transcript, read_transcripts, run_transcript

FOUND = discover()
HERE = Path(__file__).parent

every_dialect = pytest.mark.parametrize("dialect", FOUND, ids=lambda dialect: dialect.name)


def test_routes_are_distinct() -> None:
    kit.check_routes(FOUND)


@every_dialect
def test_capabilities_are_true(dialect: Dialect) -> None:
    kit.check_capabilities(dialect)


@every_dialect
def test_a_request_without_headers_has_no_credential(dialect: Dialect) -> None:
    kit.check_credential(dialect)


@every_dialect
def test_ids_are_unique_and_safe_in_urls(dialect: Dialect) -> None:
    kit.check_ids(dialect)


@every_dialect
def test_states_are_told_apart(dialect: Dialect) -> None:
    kit.check_states(dialect)


@every_dialect
def test_every_result_encodes_and_shows_nothing_private(dialect: Dialect) -> None:
    kit.check_results(dialect)


@every_dialect
def test_every_error_encodes_and_shows_no_detail(dialect: Dialect) -> None:
    kit.check_errors(dialect)


@every_dialect
def test_encode_is_pure(dialect: Dialect) -> None:
    kit.check_purity(dialect)


@pytest.mark.parametrize(
    ("dialect", "endpoint"),
    [
        pytest.param(dialect, endpoint, id=f"{dialect.name} {endpoint.method} {endpoint.path}")
        for dialect in FOUND
        for endpoint in dialect.endpoints
    ],
)
def test_hostile_input_raises_only_task_errors(dialect: Dialect, endpoint: Endpoint) -> None:
    check_hostile_input(dialect, endpoint)


@pytest.mark.parametrize(
    ("dialect", "transcript"),
    [
        pytest.param(dialect, transcript, id=f"{dialect.name} {transcript.place}")
        for dialect in FOUND
        for transcript in read_transcripts(HERE / dialect.name)
    ],
)
def test_the_vendors_examples_are_answered_as_the_vendor_does(dialect: Dialect, transcript: Transcript) -> None:
    run_transcript(dialect, transcript)
