"""Errors of domains: refused requests.

A domain raises an error such as `InsufficientCoins` with the values that a client needs; `api.kernel.problems` builds the
response. `slug` is part of a stable URN on which clients may branch; it never changes after its release.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar

TYPE_PREFIX = "urn:ideamint:problem:"
_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "request_id", "headers"})


@dataclass(frozen=True)
class ProblemType:
    """A type of problem: its name, the status and title of its responses, and what it means."""

    slug: str
    status: HTTPStatus
    title: str
    meaning: str


class DomainError(Exception):
    """A refused request. Subclasses set `status`, `slug` and `title`."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    slug: ClassVar[str] = "conflict"
    title: ClassVar[str] = "The request conflicts with the current state"
    headers: ClassVar[dict[str, str]] = {}
    is_audited: ClassVar[bool] = False
    """Whether this error is recorded as an event (:mod:`api.kernel.refusals`), as every error with status 403 is."""

    def __init__(self, detail: str, **extensions: Any) -> None:
        """`detail` is a sentence for people; `extensions` are members of the problem document for programs."""
        super().__init__(detail)
        reserved = extensions.keys() & _MEMBERS
        assert not reserved, f"{reserved} are members of every problem document"
        self.detail = detail
        self.extensions = extensions

    @classmethod
    @cache
    def problem_type(cls) -> ProblemType:
        """The type of problem of this error."""
        return ProblemType(cls.slug, cls.status, cls.title, inspect.getdoc(cls) or "")

    def response_headers(self) -> dict[str, str]:
        """Headers of the response; overridden where a value depends on the case."""
        return self.headers


class NotFound(DomainError):
    """The resource does not exist, or the caller may not know that it does."""

    status = HTTPStatus.NOT_FOUND
    slug = "not-found"
    title = "Not found"


class Forbidden(DomainError):
    """The caller is authenticated but lacks the permission."""

    status = HTTPStatus.FORBIDDEN
    slug = "forbidden"
    title = "Not allowed"


class InvalidInput(DomainError):
    """The request is well formed but its content is not valid."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-input"
    title = "The request's content is not valid"
