"""Errors of saved views."""

from __future__ import annotations

from http import HTTPStatus

from api.kernel.errors import DomainError, Forbidden, NotFound


class ViewNotFound(NotFound):
    """There is no view with this id in the campaign that the caller may see, or may change."""

    slug = "view-not-found"
    title = "No such view"


class ViewNameTaken(DomainError):
    """The caller has a view with this name in the campaign or, if it is shared, the campaign has one."""

    slug = "view-name-taken"
    title = "The name of the view is taken"


class TooManyViews(DomainError):
    """The caller, or the campaign, has the largest number of views; `limit` states it."""

    slug = "too-many-views"
    title = "There are too many views"


class SharingNotAllowed(Forbidden):
    """Only managers of the campaign share views with it, and change shared ones."""

    status = HTTPStatus.FORBIDDEN
    slug = "view-sharing-not-allowed"
    title = "Only managers share views"
