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

from api.kernel import origins
from api.kernel.container import KernelContainer, container_of
from api.kernel.contract import MEDIA_TYPE
from api.kernel.errors import TYPE_PREFIX, DomainError, InvalidInput, ProblemType
from api.kernel.refusals import Refusal

if TYPE_CHECKING:
    from fastapi import FastAPI

log = structlog.get_logger(__name__)


VALIDATION = ProblemType(
    "validation",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The request does not fit its schema",
    "`errors` lists each invalid field with its error.",
)
BUSY = ProblemType(
    "busy",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Try again shortly",
    "Another transaction is changing the same rows, or the server has more requests than connections.",
)
DATABASE_UNAVAILABLE = ProblemType(
    "database-unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "Try again shortly", "The database is unavailable."
)
DISK_FULL = ProblemType(
    "disk-full",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The disk is full",
    "The disk of the database is full. Nothing was changed.",
)
INTERNAL = ProblemType(
    "internal",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Internal error",
    "Nothing was changed. The request id identifies the request in the logs.",
)


def _of_http(status: HTTPStatus, meaning: str) -> ProblemType:
    """A type without a name of its own: that of the status's phrase."""
    slug = status.phrase.lower().replace(" ", "-").replace("'", "")
    return ProblemType(slug, status, status.phrase.capitalize(), meaning)


BAD_REQUEST = _of_http(HTTPStatus.BAD_REQUEST, "The body cannot be read as JSON in UTF-8.")
NO_SUCH_PATH = _of_http(HTTPStatus.NOT_FOUND, "No route has this path.")
METHOD_NOT_ALLOWED = _of_http(
    HTTPStatus.METHOD_NOT_ALLOWED, "The path exists, but not with this method; `Allow` lists the methods that do."
)
BODY_TOO_LARGE = _of_http(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request body exceeds the limit of the route.")
DATABASE_PROBLEMS = (BUSY, DATABASE_UNAVAILABLE, DISK_FULL, InvalidInput)
"""What every statement can cause; invalid input is a value that no column can store."""

TYPES = (
    VALIDATION, BUSY, DATABASE_UNAVAILABLE, DISK_FULL, INTERNAL, BAD_REQUEST, NO_SUCH_PATH, METHOD_NOT_ALLOWED,
    BODY_TOO_LARGE,
)  # fmt: skip
"""The types of problems that are not errors of a domain."""


def problem(
    request: Request, kind: ProblemType, detail: str, headers: dict[str, str] | None = None, **extensions: Any
) -> Response:
    """A response of media type application/problem+json."""
    document = {
        "type": TYPE_PREFIX + kind.slug,
        "title": kind.title,
        "status": int(kind.status),
        "detail": detail,
        "instance": request.url.path,
        "request_id": request.scope.get("state", {}).get("request_id"),
        **extensions,
    }
    return Response(orjson.dumps(document), kind.status, headers, MEDIA_TYPE)


def refusal(request: Request, error: DomainError) -> Response:
    """The response for an error of a domain: raised, or returned so that the transaction is committed."""
    note_refusal(request, error)
    return problem(request, error.problem_type(), error.detail, error.response_headers(), **error.extensions)


def note_refusal(request: Request, error: DomainError) -> None:
    """Count a refused request, if its error is one that is recorded. For pages, which show errors themselves."""
    if error.is_audited or error.status is HTTPStatus.FORBIDDEN:
        route = request.scope.get("route")
        operation: str = getattr(request.state, "operation", None) or getattr(route, "name", None) or request.method
        noted = Refusal(operation, error.slug, int(error.status), origins.current())
        container_of(request.app, KernelContainer).refusals.note(noted)


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
    return problem(request, VALIDATION, detail, errors=errors)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else {}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_allowed_methods(request)))
    return problem(request, _of_http(HTTPStatus(error.status_code), ""), str(error.detail), headers)


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
        log.error("database", problem=DISK_FULL.slug, error=str(cause))
        container_of(request.app, KernelContainer).disk.note_refusal()
        return problem(request, DISK_FULL, DISK_FULL.meaning, {"Retry-After": "60"})
    if isinstance(cause, psycopg.OperationalError):
        is_busy = isinstance(cause, busy)
        kind = BUSY if is_busy else DATABASE_UNAVAILABLE
        log.warning("database", problem=kind.slug, error=str(cause))
        detail = "Another transaction is changing the same rows." if is_busy else kind.meaning
        return problem(request, kind, detail, {"Retry-After": "1"})
    if isinstance(cause, psycopg.DataError):
        # a value that passes the schemas but that no column can store, such as a NUL in a text
        log.warning("database", problem="invalid-input", error=str(cause))
        return refusal(request, InvalidInput("A value in the request cannot be stored."))
    return await unexpected(request, error)


async def _pool_timeout(request: Request, _: Exception) -> Response:
    """Every connection of the pool is in use, and none became free in time."""
    log.warning("database", problem=BUSY.slug, error="no free connection in the pool")
    return problem(request, BUSY, "The server has more requests than database connections.", {"Retry-After": "1"})


async def unexpected(request: Request, error: Exception) -> Response:
    """The response to a defect, which is logged."""
    log.error("unexpected error", exc_info=error)
    return problem(request, INTERNAL, INTERNAL.meaning)


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
