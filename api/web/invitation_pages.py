"""What the pages of invitations to the installation and to campaigns share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Request, Response

from api.auth import recovery
from api.kernel.browser import Browser, path_of
from api.kernel.errors import DomainError
from api.web.accounts import message_page
from settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.campaigns.attributes.values import Question

browser = Browser("api.web")


def join_page(
    request: Request,
    settings: Settings,
    status: int,
    *,
    log_in: str | None = None,
    questions: Sequence[Question] = (),
    **shown: Any,
) -> Response:
    """The form that creates or completes an account; `log_in` is the link for people who have one."""
    return browser.render(
        request,
        settings,
        status,
        "join.html",
        length_min=recovery.PASSWORD_LENGTH_MIN,
        length_max=recovery.PASSWORD_LENGTH_MAX,
        log_in=log_in or path_of(request, "show_log_in"),
        questions=questions,
        **shown,
    )


def void_page(request: Request, settings: Settings, error: DomainError, advice: str) -> Response:
    """The page of a link that is not valid, or not any more."""
    text = f"{error.detail} {advice}"
    return message_page(request, settings, error.status, "The invitation is not valid", text, is_problem=True)


def with_headers_of(error: DomainError, page: Response) -> Response:
    """The page, with the headers of an error, such as the time after which to try again."""
    page.headers.update(error.response_headers())
    return page
