"""Errors as problem details (RFC 9457).

A domain states a fact (`InsufficientCoins`) with the numbers that a client needs; the one handler here makes the
document. `type` is a stable URN that clients may switch on, and never changes once released.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import psycopg
import structlog
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from fastapi import FastAPI

log = structlog.get_logger(__name__)

TYPE_PREFIX = "urn:ideamint:problem:"
_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "request_id", "headers"})


class DomainError(Exception):
    """A refusal that states a fact. Subclasses name it and set `status`, `slug` and `title`."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    slug: ClassVar[str] = "conflict"
    title: ClassVar[str] = "The request conflicts with the current state"
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str, **extensions: Any) -> None:
        """`detail` is a sentence for people; `extensions` are members of the problem document for programs."""
        super().__init__(detail)
        taken = extensions.keys() & _MEMBERS
        assert not taken, f"{taken} are members of every problem document"
        self.detail = detail
        self.extensions = extensions

    def response_headers(self) -> dict[str, str]:
        """Headers of the answer; overridden where one depends on the case."""
        return self.headers


class NotFound(DomainError):
    """There is no such thing, or the caller may not know of it."""

    status = HTTPStatus.NOT_FOUND
    slug = "not-found"
    title = "Not found"


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    status = HTTPStatus.FORBIDDEN
    slug = "forbidden"
    title = "Not allowed"


class InvalidInput(DomainError):
    """The request is well formed and its content cannot be."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-input"
    title = "The request's content is not valid"


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
    """The answer to an error that is returned, not raised, because what was written meanwhile has to stay."""
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
    headers = dict(error.headers) if error.headers else None
    return problem(request, error.status_code, slug, phrase, str(error.detail), headers)


async def _database_error(request: Request, error: Exception) -> Response:
    """A database that is unavailable or busy is 503 and worth a retry; anything else it says is our defect."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    busy = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled, psycopg.errors.DeadlockDetected)
    if isinstance(cause, psycopg.OperationalError):
        slug = "busy" if isinstance(cause, busy) else "database-unavailable"
        log.warning("database", problem=slug, error=str(cause))
        detail = (
            "The database is busy with another change of the same thing."
            if slug == "busy"
            else "The database is unavailable."
        )
        return problem(request, HTTPStatus.SERVICE_UNAVAILABLE, slug, "Try again shortly", detail, {"Retry-After": "1"})
    if isinstance(cause, psycopg.DataError):
        # what the schemas let through and no column can hold, such as a NUL in a text
        log.warning("database", problem="invalid-input", error=str(cause))
        return refusal(request, InvalidInput("A value in the request cannot be stored."))
    return await _unexpected(request, error)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        "An error on our side",
        "Nothing was changed. The request id finds the cause in the logs.",
    )


_HANDLERS: tuple[tuple[type[Exception], Callable[[Request, Exception], Awaitable[Response]]], ...] = (
    (DomainError, _domain_error),
    (RequestValidationError, _validation_error),
    (HTTPException, _http_exception),
    (DBAPIError, _database_error),
    (psycopg.Error, _database_error),
)


async def answer(request: Request, error: Exception) -> Response:
    """The problem document of an error, for who answers ahead of the routes.

    Raises:
        Exception: the error itself, if it is an unexpected one; the application's outermost layer logs and answers it.
    """
    for kind, handle in _HANDLERS:
        if isinstance(error, kind):
            return await handle(request, error)
    raise error


def install(app: FastAPI) -> None:
    """Hand every kind of error to the handler that makes its problem document."""
    for kind, handle in _HANDLERS:
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(Exception, _unexpected)
