"""The origins that may call the API from a browser."""

from __future__ import annotations

import pytest

from settings import SettingsError
from settings.addresses import AddressSettings
from settings.model import Settings


def origins(text: str) -> tuple[str, ...]:
    return AddressSettings.model_validate({"cors_origins": text}).cors_origins


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("https://app.example.org", ("https://app.example.org",)),
        (" https://a.example , http://localhost:5173,", ("https://a.example", "http://localhost:5173")),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
    ],
)
def test_are_exact_and_comma_separated(text: str, expected: tuple[str, ...]) -> None:
    assert origins(text) == expected


@pytest.mark.parametrize(
    "text",
    ["*", "https://*.example.org", "app.example.org", "ftp://app.example.org", "https://app.example.org/path",
     "https://app.example.org?x=1", "https://user@app.example.org", "https://", "null", "https://a.example:0",
     "https://a.example:70000", "https://a.example https://b.example"],
)  # fmt: skip
def test_anything_else_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(SettingsError, match=r"IDEAMINT_CORS_ORIGINS: .*not an origin: scheme://host"):
        Settings.of(cors_origins=text)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("https://App.Example.org", "https://app.example.org"),
        ("https://app.example.org/", "https://app.example.org"),
        ("https://app.example.org:443", "https://app.example.org"),
        ("HTTP://localhost:80", "http://localhost"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_with_the_one_it_sends(text: str, sent: str) -> None:
    with pytest.raises(SettingsError, match=f"browsers send {sent} "):
        Settings.of(cors_origins=text)
