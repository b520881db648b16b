"""Responses to errors: problem details (RFC 9457) of domain errors, invalid requests, the database and defects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.kernel.container import KernelContainer, container_of
from api.kernel.errors import TYPE_PREFIX, DomainError, InvalidInput

if TYPE_CHECKING:
    from fastapi import FastAPI

log = structlog.get_logger(__name__)


def problem(
    request: Request,
    status: int,
    slug: str,
    title: str,
    detail: str,
    headers: dict[str, str] | None = None,
    **extensions: Any,
) -> Response:
    """A response of media type application/problem+json."""
    document = {
        "type": TYPE_PREFIX + slug,
        "title": title,
        "status": int(status),
        "detail": detail,
        "instance": request.url.path,
        "request_id": request.scope.get("state", {}).get("request_id"),
        **extensions,
    }
    return Response(orjson.dumps(document), status, headers, "application/problem+json")


def refusal(request: Request, error: DomainError) -> Response:
    """The response for an error that is returned, not raised, so that the transaction is committed."""
    headers = error.response_headers()
    return problem(request, error.status, error.slug, error.title, error.detail, headers, **error.extensions)


async def _domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    return refusal(request, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"in": str(e["loc"][0]), "field": ".".join(str(part) for part in e["loc"][1:]), "problem": e["msg"]}
        for e in error.errors()
    ]
    detail = "; ".join(f"{e['field'] or e['in']}: {e['problem']}" for e in errors)
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "validation",
        "The request does not fit its schema",
        detail,
        errors=errors,
    )


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    slug = phrase.lower().replace(" ", "-").replace("'", "")
    headers = dict(error.headers) if error.headers else {}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_allowed_methods(request)))
    return problem(request, error.status_code, slug, phrase, str(error.detail), headers)


def _allowed_methods(request: Request) -> set[str]:
    """The methods of all routes of the path; the router names only those of one route."""
    routes = (route for route in iter_route_contexts(request.app.routes) if route.methods)
    methods = {method for route in routes if route.path_regex.match(request.url.path) for method in route.methods or ()}
    return methods | {"HEAD"} if "GET" in methods else methods


async def _database_error(request: Request, error: Exception) -> Response:
    """503 with `Retry-After` if the database is unavailable or busy; other errors of the database are our defects."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    busy = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled, psycopg.errors.DeadlockDetected)
    if isinstance(cause, psycopg.errors.DiskFull):
        log.error("database", problem="disk-full", error=str(cause))
        container_of(request.app, KernelContainer).disk.note_refusal()
        detail = "The disk of the database is full. Nothing was changed."
        return problem(
            request, HTTPStatus.SERVICE_UNAVAILABLE, "disk-full", "The disk is full", detail, {"Retry-After": "60"}
        )
    if isinstance(cause, psycopg.OperationalError):
        slug = "busy" if isinstance(cause, busy) else "database-unavailable"
        log.warning("database", problem=slug, error=str(cause))
        detail = "Another transaction is changing the same rows." if slug == "busy" else "The database is unavailable."
        return problem(request, HTTPStatus.SERVICE_UNAVAILABLE, slug, "Try again shortly", detail, {"Retry-After": "1"})
    if isinstance(cause, psycopg.DataError):
        # a value that passes the schemas but that no column can store, such as a NUL in a text
        log.warning("database", problem="invalid-input", error=str(cause))
        return refusal(request, InvalidInput("A value in the request cannot be stored."))
    return await unexpected(request, error)


async def _pool_timeout(request: Request, _: Exception) -> Response:
    """Every connection of the pool is in use, and none became free in time."""
    log.warning("database", problem="busy", error="no free connection in the pool")
    detail = "The server has more requests than database connections."
    return problem(request, HTTPStatus.SERVICE_UNAVAILABLE, "busy", "Try again shortly", detail, {"Retry-After": "1"})


async def unexpected(request: Request, error: Exception) -> Response:
    """The response to a defect, which is logged."""
    log.error("unexpected error", exc_info=error)
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        "Internal error",
        "Nothing was changed. The request id identifies the request in the logs.",
    )


_HANDLERS: tuple[tuple[type[Exception], Callable[[Request, Exception], Awaitable[Response]]], ...] = (
    (DomainError, _domain_error),
    (RequestValidationError, _validation_error),
    (HTTPException, _http_exception),
    (DBAPIError, _database_error),
    (psycopg.Error, _database_error),
    (PoolTimeout, _pool_timeout),
)


async def respond(request: Request, error: Exception) -> Response:
    """The problem document of an error, for middleware that responds before routing.

    Raises:
        Exception: the error itself, if it is unexpected; the application's outermost layer handles it.
    """
    for kind, handle in _HANDLERS:
        if isinstance(error, kind):
            return await handle(request, error)
    raise error


def install(app: FastAPI) -> None:
    """Register the handler of every kind of error."""
    for kind, handle in _HANDLERS:
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(Exception, unexpected)
