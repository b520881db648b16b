"""The headers of every response, and what programs of other sites may read (CORS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.kernel.rules import PUBLIC
from api.kernel.web import router as new_router
from settings.rates import Rate
from tests.factories.probes import probing
from tests.factories.users import bearer, commit_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import APIRouter, FastAPI
    from httpx2 import AsyncClient

    from settings import Settings

APP = "https://app.example.org"
CORS = {"Origin": APP}
PREFLIGHT = {
    **CORS,
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, if-none-match",
}


def probes() -> APIRouter:
    router = new_router("/probe", "probe")

    @router.get("/defect", dependencies=[PUBLIC])
    async def defect() -> None:
        msg = "a defect"
        raise RuntimeError(msg)

    return router


@pytest.fixture
async def strangers(database: Settings) -> AsyncIterator[AsyncClient]:
    """A client of an installation on HTTPS that another site may call, and that limits log-ins."""
    settings = database.with_(
        public_api_url="https://testserver",
        cors_origins=(APP, "http://localhost:5173"),
        log_ins_per_address=Rate(1, "day"),
    )
    async with probing(settings, probes()) as client:
        yield client


class TestSecurityHeaders:
    async def test_every_response_has_them(self, application: FastAPI, strangers: AsyncClient) -> None:
        anna = await bearer(application, await commit_user(application))
        read = await strangers.get("/api/v1/users/me", headers=anna)
        responses = {
            "live": (200, await strangers.get("/health/live")),
            "read": (200, read),
            "head": (200, await strangers.head("/api/v1/users/me", headers=anna)),
            "not modified": (
                304,
                await strangers.get("/api/v1/users/me", headers={**anna, "If-None-Match": read.headers["etag"]}),
            ),
            "preflight": (200, await strangers.options("/api/v1/users/me", headers=PREFLIGHT)),
            "refused preflight": (
                400,
                await strangers.options("/api/v1/users/me", headers={**PREFLIGHT, "Origin": "https://b.example"}),
            ),
            "page": (200, await strangers.get("/login")),
            "documentation": (200, await strangers.get("/docs")),
            "file": (200, await strangers.get("/static-offline-docs/swagger-ui.css")),
            "refused token": (401, await strangers.get("/api/v1/users/me")),
            "no such path": (404, await strangers.get("/api/v1/nowhere")),
            "wrong method": (405, await strangers.put("/api/v1/users/me")),
            "too large": (413, await strangers.post("/api/v1/auth/register", json="x" * 2_000_000)),
            "unknown host": (421, await strangers.get("/api/v1/users/me", headers={"Host": "evil.example"})),
            "invalid": (422, await strangers.post("/api/v1/auth/login", json={})),
            "limited": (429, await strangers.post("/api/v1/auth/login", json={})),
            "defect": (500, await strangers.get("/api/v1/probe/defect")),
        }
        assert {what: response.status_code for what, (_, response) in responses.items()} == {
            what: status for what, (status, _) in responses.items()
        }
        for what, (_, response) in responses.items():
            headers = response.headers
            assert headers["x-content-type-options"] == "nosniff", what
            assert headers["x-frame-options"] == "DENY", what
            assert headers["referrer-policy"] == "no-referrer", what
            assert "default-src 'none'" in headers["content-security-policy"], what
            assert "frame-ancestors 'none'" in headers["content-security-policy"], what
            assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains", what
            assert len(headers.get_list("x-request-id")) == 1, what

    async def test_a_browser_that_comes_by_http_is_not_sent_to_https(self, client: AsyncClient) -> None:
        for path in ("/health/live", "/login", "/api/v1/campaigns"):
            assert "strict-transport-security" not in (await client.get(path)).headers

    @pytest.mark.parametrize("path", ["/health/live", "/login", "/docs", "/api/v1/nowhere", "/api/v1/users/me"])
    async def test_what_states_no_validity_is_not_stored(self, client: AsyncClient, path: str) -> None:
        assert (await client.get(path)).headers["cache-control"] == "no-store"


class TestCors:
    async def test_a_listed_site_may_send_and_read(self, application: FastAPI, strangers: AsyncClient) -> None:
        anna = await bearer(application, await commit_user(application))
        asked = (await strangers.options("/api/v1/users/me", headers=PREFLIGHT)).headers
        assert asked["access-control-allow-origin"] == APP
        assert "PATCH" in asked["access-control-allow-methods"]
        sent = asked["access-control-allow-headers"].lower().split(", ")
        assert {"authorization", "content-type", "idempotency-key", "if-none-match", "x-request-id"} <= set(sent)
        assert asked["vary"].startswith("Origin")
        read = (await strangers.get("/api/v1/users/me", headers={**anna, **CORS})).headers
        assert read["access-control-allow-origin"] == APP
        assert "Origin" in read["vary"].split(", ")
        exposed = set(read["access-control-expose-headers"].split(", "))
        assert exposed >= {
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "ETag",
            "Location",
            "Deprecation",
            "Sunset",
            "Link",
        }

    @pytest.mark.parametrize(
        ("path", "status"), [("/api/v1/users/me", 401), ("/api/v1/nowhere", 404), ("/api/v1/probe/defect", 500)]
    )
    async def test_it_may_read_errors(self, strangers: AsyncClient, path: str, status: int) -> None:
        refused = await strangers.get(path, headers=CORS)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (status, APP)

    @pytest.mark.parametrize(
        "origin",
        ["https://app.example.org.evil.example", "http://app.example.org", "https://app.example.org:8443", "null", "*"],
    )
    async def test_any_other_site_may_not(self, strangers: AsyncClient, origin: str) -> None:
        headers = {**PREFLIGHT, "Origin": origin}
        asked = await strangers.options("/api/v1/users/me", headers=headers)
        read = await strangers.get("/api/v1/users/me", headers={"Origin": origin})
        assert asked.status_code == 400
        for response in (asked, read):
            assert "access-control-allow-origin" not in response.headers
            assert "Origin" in response.headers["vary"]

    async def test_no_site_may_use_the_cookie_of_a_browser(self, strangers: AsyncClient) -> None:
        asked = await strangers.options("/api/v1/auth/session", headers=PREFLIGHT)
        assert "access-control-allow-credentials" not in asked.headers

    async def test_pages_are_not_readable(self, strangers: AsyncClient) -> None:
        assert "access-control-allow-origin" not in (await strangers.get("/login", headers=CORS)).headers

    async def test_no_site_may_by_default(self, client: AsyncClient) -> None:
        asked = await client.options("/api/v1/users/me", headers=PREFLIGHT)
        read = await client.get("/api/v1/users/me", headers=CORS)
        assert (asked.status_code, read.status_code) == (405, 401)
        assert not [name for name in (*asked.headers, *read.headers) if name.startswith("access-control-")]
