"""The problems that an operation can respond with, declared once: on the function that raises them.

:func:`raises` marks the function of a route or a dependency. The route class collects the marks of a route and of all its
dependencies, adds what every route can respond with, and builds the responses of the OpenAPI document.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from api.kernel.errors import TYPE_PREFIX, DomainError, ProblemType

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant

MEDIA_TYPE: Final = "application/problem+json"
SCHEMA_NAME: Final = "Problem"
SCHEMA: Final[dict[str, Any]] = {
    "title": SCHEMA_NAME,
    "description": "An error (RFC 9457). Further members depend on the type; docs/problems.md lists the types.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "a stable name"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "a sentence for people"},
        "instance": {"type": "string", "description": "the path of the request"},
        "request_id": {"type": ["string", "null"], "description": "identifies the request in the logs"},
    },
    "required": ["type", "title", "status", "detail"],
}
HEADERS: Final[dict[str, Any]] = {
    "RateLimit": {
        "description": "For each limit that counted the request: r, the requests that remain, and t, the seconds until all "
        "of them are available again. Most responses have it",
        "schema": {"type": "string", "examples": ['"requests-per-caller";r=599;t=1']},
    },
    "RateLimit-Policy": {
        "description": "For each limit that counted the request: q requests in w seconds. Most responses have it",
        "schema": {"type": "string", "examples": ['"requests-per-caller";q=600;w=60']},
    },
    "Retry-After": {"description": "seconds", "schema": {"type": "integer"}},
}
"""Headers of responses to which the operations refer."""
_ATTRIBUTE = "__raised_problems__"
_HEADERS_OF = {
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}

Function = TypeVar("Function", bound=Callable[..., Any])
Problem = ProblemType | type[DomainError]


def raises(*problems: Problem) -> Callable[[Function], Function]:
    """Mark the function of a route, or a dependency, with the problems that it can cause."""

    def mark(function: Function) -> Function:
        setattr(function, _ATTRIBUTE, (*getattr(function, _ATTRIBUTE, ()), *problems))
        return function

    return mark


def find_problems(dependant: Dependant) -> Iterator[ProblemType]:
    """The problems that a function and its dependencies are marked with."""
    for problem in getattr(dependant.call, _ATTRIBUTE, ()):
        yield as_type(problem)
    for inner in dependant.dependencies:
        yield from find_problems(inner)


def as_type(problem: Problem) -> ProblemType:
    """The type of a problem, also of an error's class."""
    return problem if isinstance(problem, ProblemType) else problem.problem_type()


def describe(problems: Iterable[ProblemType]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses by status: which types of problem a response of that status can have."""
    by_status: dict[HTTPStatus, dict[str, str]] = defaultdict(dict)
    for problem in sorted(problems, key=lambda problem: (problem.status, problem.slug)):
        by_status[problem.status][problem.slug] = problem.title
    return {int(status): _response(status, titles) for status, titles in by_status.items()}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document with the components to which the responses of the operations refer."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})[SCHEMA_NAME] = SCHEMA
    components["headers"] = HEADERS
    return document


def _response(status: HTTPStatus, titles: dict[str, str]) -> dict[str, Any]:
    names = [TYPE_PREFIX + slug for slug in titles]
    members = {"type": {"enum": names}, "status": {"const": int(status)}}
    schema = {"allOf": [{"$ref": f"#/components/schemas/{SCHEMA_NAME}"}, {"properties": members}]}
    described: dict[str, Any] = {
        "description": "; ".join(f"`{slug}`: {title}" for slug, title in titles.items()),
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
    if names_of_headers := _HEADERS_OF.get(status):
        described["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names_of_headers}
    return described
