"""Presigned URLs: as Amazon's own example has them, and with what an answer is to have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import obstore
import pytest
from obstore.store import S3Store

from darkroom.objects.cloud import base
from darkroom.objects.presigned import LONGEST, Presigner

THEN = int(datetime(2013, 5, 24, tzinfo=UTC).timestamp())
AMAZON = Presigner(
    "https://examplebucket.s3.amazonaws.com",
    "us-east-1",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)


def test_the_example_of_the_documentation_has_the_same_signature() -> None:
    url = httpx.URL(AMAZON.url("GET", "test.txt", 86_400, THEN))
    assert (url.host, url.path) == ("examplebucket.s3.amazonaws.com", "/test.txt")
    assert url.params["X-Amz-Credential"] == "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
    assert url.params["X-Amz-Signature"] == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"


def test_method_key_time_and_answer_are_signed() -> None:
    urls = {
        AMAZON.url("GET", "a", 60, THEN),
        AMAZON.url("HEAD", "a", 60, THEN),
        AMAZON.url("GET", "b", 60, THEN),
        AMAZON.url("GET", "a", 61, THEN),
        AMAZON.url("GET", "a", 60, THEN + 1),
        AMAZON.url("GET", "a", 60, THEN, {"content-type": "image/png"}),
    }
    assert len({httpx.URL(url).params["X-Amz-Signature"] for url in urls}) == 6
    assert AMAZON.url("GET", "a", 60, THEN) == AMAZON.url("GET", "a", 60, THEN)


def test_temporary_keys_bring_their_token() -> None:
    signer = Presigner("https://s3.example.com/bucket", "eu-central-1", "ASIA", "secret", "a/token+=")
    assert httpx.URL(signer.url("GET", "a", 60, THEN)).params["X-Amz-Security-Token"] == "a/token+="


def test_a_port_that_goes_without_saying_is_not_said() -> None:
    for place, wanted in {
        "https://s3.example.com:443/b": "https://s3.example.com/b/k?",
        "http://s3.example.com:80/b": "http://s3.example.com/b/k?",
        "https://S3.example.com:9000/b": "https://s3.example.com:9000/b/k?",
    }.items():
        assert Presigner(place, "r", "k", "s").url("GET", "k", 60, THEN).startswith(wanted)


@pytest.mark.parametrize("seconds", [0, -1, LONGEST + 1])
def test_a_life_that_no_storage_allows_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="lives for 1 to 604800 seconds"):
        AMAZON.url("GET", "a", seconds, THEN)


def test_the_secret_is_not_shown() -> None:
    assert "wJalr" not in repr(AMAZON)


@pytest.mark.parametrize(
    ("endpoint", "own_host", "wanted"),
    [
        ("", "", "https://s3.eu-west-1.amazonaws.com/pictures"),
        ("", "true", "https://pictures.s3.eu-west-1.amazonaws.com"),
        ("https://s3.example.com/", "", "https://s3.example.com/pictures"),
        ("https://pictures.example.com", "true", "https://pictures.example.com"),
    ],
)
def test_a_bucket_has_the_url_that_the_library_uses(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, own_host: str, wanted: str
) -> None:
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", own_host or "false")
    assert base("pictures", "eu-west-1", endpoint) == wanted
    at = {"aws_endpoint_url_s3": endpoint.rstrip("/")} if endpoint else {}
    store = S3Store("pictures", config={"region": "eu-west-1", "access_key_id": "k", "secret_access_key": "s", **at})
    assert obstore.sign(store, "GET", "k", timedelta(seconds=9)).startswith(f"{wanted}/k?")
