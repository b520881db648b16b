"""The route class of HTML pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.kernel.browser import Browser
from api.kernel.container import KernelContainer, container_of
from api.kernel.rates import RateLimited
from api.kernel.routing import Handler, LimitedRoute

if TYPE_CHECKING:
    from fastapi import Request, Response

_browser = Browser("api.kernel")


class PageRoute(LimitedRoute):
    """A route whose refusal for a rate limit is a page, since a person reads it."""

    def get_route_handler(self) -> Handler:  # type: ignore[override]
        """The function that counts a request and handles it."""
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            try:
                return await handle(request)
            except RateLimited as error:
                settings = container_of(request.app, KernelContainer).settings
                page = _browser.render(
                    request, settings, error.status, "refused.html", heading=error.title, text=error.detail
                )
                page.headers.update(error.response_headers())
                return page

        return handle_for_people
