"""The comparison of responses with the OpenAPI document finds what is not declared."""

from __future__ import annotations

from typing import Any

import pytest
from httpx2 import Response

from tests.responses import UndeclaredResponse, check_response

LOG_IN = "/api/v1/auth/login"
TOKENS = {
    "access_token": "a",
    "refresh_token": "b",
    "token_type": "Bearer",
    "expires_in_s": 900,
    "second_factor_missing": False,
}
PROBLEM = {"title": "Log-in failed", "status": 401, "detail": "The password is wrong.", "instance": LOG_IN}


def check(status: int, body: Any, *, media_type: str = "application/json", method: str = "POST") -> None:
    response = Response(status, json=body, headers={"Content-Type": media_type})
    check_response(method, LOG_IN, response, response.content)


def problem(status: int, name: str, **members: object) -> None:
    body = {**PROBLEM, "status": status, "type": f"urn:ideamint:problem:{name}", **members}
    check(status, body, media_type="application/problem+json")


class TestCheckResponse:
    def test_a_declared_one_passes(self) -> None:
        check(200, TOKENS)
        problem(401, "log-in-failed", request_id=None, further=5)

    def test_other_paths_and_methods_are_not_compared(self) -> None:
        check(418, {}, method="DELETE")

    def test_an_undeclared_status_is_found(self) -> None:
        with pytest.raises(UndeclaredResponse, match="POST /api/v1/auth/login: 404 is not declared"):
            problem(404, "not-found")

    def test_an_undeclared_type_of_problem_is_found(self) -> None:
        with pytest.raises(UndeclaredResponse, match="does not fit its schema"):
            problem(401, "refresh-token-used")

    def test_another_media_type_is_found(self) -> None:
        with pytest.raises(UndeclaredResponse, match="has the media type 'text/html'"):
            check(200, TOKENS, media_type="text/html")

    def test_a_body_that_does_not_fit_is_found(self) -> None:
        with pytest.raises(UndeclaredResponse, match="expires_in_s"):
            check(200, {**TOKENS, "expires_in_s": "soon"})
