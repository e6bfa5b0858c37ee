"""Where links lead, with and without an address of one's own and a cache."""

from __future__ import annotations

import pytest

from darkroom.addresses import Addresses


@pytest.mark.parametrize(
    ("public", "cdn", "base", "files"),
    [
        ("", "", "http://host:8080/api", ""),
        ("https://media.example", "", "https://media.example/api", ""),
        ("", "https://cdn.example", "http://host:8080/api", "https://cdn.example/api"),
        ("https://media.example", "https://cdn.example", "https://media.example/api", "https://cdn.example/api"),
        (
            "https://example.com/media",
            "https://cdn.example",
            "https://example.com/media/api",
            "https://cdn.example/api",
        ),
    ],
)
def test_links_lead_where_the_settings_say(public: str, cdn: str, base: str, files: str) -> None:
    addresses = Addresses(public, cdn)
    assert addresses.base("http://host:8080", "/api") == base
    assert addresses.files(base) == files


def test_a_task_of_an_earlier_address_leads_to_the_cache_too() -> None:
    assert Addresses("https://new.example", "https://cdn.example").files("https://old.example/v1") == (
        "https://cdn.example/v1"
    )
