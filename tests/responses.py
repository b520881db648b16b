"""Compares every response of the API that a test receives with `openapi.json`.

The status, the media type, the type of problem and the body must be declared for the operation. A response that is not fails
the test that received it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Request, Response

DOCUMENT = Path(__file__).parents[1] / "openapi.json"
JSON = {"application/json", "application/problem+json"}


class UndeclaredResponse(AssertionError):
    """The API responded with something that `openapi.json` does not declare for the operation."""


@pytest.fixture(scope="session", autouse=True)
def declared_responses() -> Iterator[None]:
    """Check the responses of applications that run in this process."""
    handle = ASGITransport.handle_async_request

    async def handle_and_check(transport: ASGITransport, request: Request) -> Response:
        response = await handle(transport, request)
        if isinstance(transport.app, FastAPI) and transport.app.title == "Ideamint":
            check_response(request.method, request.url.path, response, await response.aread())
        return response

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ASGITransport, "handle_async_request", handle_and_check)
        yield


def check_response(method: str, path: str, response: Response, body: bytes) -> None:
    """Compare a response with the declaration of its operation; a path without an operation is not compared.

    Raises:
        UndeclaredResponse: it does not fit.
    """
    found = find_operation("GET" if method == "HEAD" else method, path)
    if found is None:
        return
    template, name = found
    what = f"{method} {template}: {response.status_code}"
    declared = document()["paths"][template][name]["responses"].get(str(response.status_code))
    if declared is None:
        msg = f"{what} is not declared: {body[:500]!r}"
        raise UndeclaredResponse(msg)
    if method == "HEAD" or not body:
        return
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type not in declared.get("content", {}):
        msg = f"{what} has the media type {media_type!r}; declared are {sorted(declared.get('content', {}))}"
        raise UndeclaredResponse(msg)
    if media_type in JSON:
        errors = validator(template, name, str(response.status_code), media_type).iter_errors(json.loads(body))
        if problems := [f"{list(error.instance_path)}: {error.message}" for error in errors]:
            msg = f"{what} does not fit its schema: {'; '.join(problems)[:1000]}; body {body[:500]!r}"
            raise UndeclaredResponse(msg)


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return found


def find_operation(method: str, path: str) -> tuple[str, str] | None:
    """The template of a path and the lower-case method, if the document has the operation."""
    for pattern, template in patterns():
        if pattern.fullmatch(path) and method.lower() in document()["paths"][template]:
            return template, method.lower()
    return None


@cache
def patterns() -> list[tuple[re.Pattern[str], str]]:
    """Expressions of the document's paths; a fixed segment counts before a parameter."""
    templates = sorted(document()["paths"], key=lambda template: template.count("{"))
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", template)), template) for template in templates]


@cache
def validator(template: str, method: str, status: str, media_type: str) -> jsonschema_rs.Draft202012Validator:
    declared = document()["paths"][template][method]["responses"][status]["content"][media_type]
    return jsonschema_rs.Draft202012Validator(
        {**declared.get("schema", {}), "components": document()["components"]}, validate_formats=True
    )
