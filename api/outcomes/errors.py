"""Errors of the domain outcomes."""

from __future__ import annotations

from http import HTTPStatus

from api.kernel.errors import DomainError


class NoBudget(DomainError):
    """The campaign has no budget, so no rule can say what it pays for."""

    status = HTTPStatus.CONFLICT
    slug = "no-budget"
    title = "The campaign has no budget"
