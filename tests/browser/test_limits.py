"""The limits of connections on each port of an installation: the API, the dashboards and Dagster's page."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.factories.raw_http import GET, exchange, refusal

if TYPE_CHECKING:
    from tests.browser.conftest import Installation

pytestmark = pytest.mark.browser


@pytest.fixture(params=["api_url", "dashboards_url", "dagster_url"])
def url(request: pytest.FixtureRequest, installation: Installation) -> str:
    return str(getattr(installation, request.param))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([GET + b"X: ", *([b"a" * 65_536] * 100)], (431, "headers-too-large")),
        ([GET, *(b"X-%d: 1\r\n" % number for number in range(200)), b"\r\n"], (431, "headers-too-large")),
        ([b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n"], (414, "request-line-too-long")),
        ([b"\x16\x03\x01 hello\r\n\r\n"], (400, "malformed-request")),
        (
            [
                b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"3;" + b"e" * 100_000 + b"\r\n",
            ],
            (400, "malformed-request"),
        ),
    ],
    ids=["one huge header", "many small headers", "request line", "not HTTP", "chunk extension"],
)
def test_requests_beyond_the_limits_are_refused(url: str, parts: list[bytes], expected: tuple[int, str]) -> None:
    port = urlsplit(url).port
    assert port is not None
    with ThreadPoolExecutor(1) as thread:  # Playwright's event loop runs in this one
        received = thread.submit(lambda: asyncio.run(exchange(port, *parts))).result()
    assert refusal(received) == expected


def test_no_page_may_be_framed(url: str) -> None:
    headers = httpx2.get(url, trust_env=False).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"


def test_the_dashboards_run_only_their_own_scripts(installation: Installation) -> None:
    policy = httpx2.get(installation.dashboards_url, trust_env=False).headers["content-security-policy"]
    scripts = next(each for each in policy.split("; ") if each.startswith("script-src"))
    assert "unsafe" not in scripts
    assert "frame-ancestors 'none'" in policy
