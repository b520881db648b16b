"""The OpenAPI document, rendered once, with the limit and the entity tag of other readings."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter, Response

from api.kernel.routing import Route
from api.kernel.rules import PUBLIC

if TYPE_CHECKING:
    from fastapi import FastAPI


class DocumentRoute(Route):
    """A route for programs that add parameters of their own."""

    checks_requests = False


def serve_document(app: FastAPI) -> None:
    """Replace FastAPI's route of the document, which renders it for each request: 20 ms of a process, for anyone."""
    path = app.openapi_url
    assert path is not None
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) != path]
    router = APIRouter(route_class=DocumentRoute, dependencies=[PUBLIC], include_in_schema=False)

    @cache
    def rendered() -> bytes:
        return orjson.dumps(app.openapi())

    @router.get(path)
    async def get_document() -> Response:
        """The OpenAPI document of this process."""
        return Response(rendered(), media_type="application/json")

    app.include_router(router)
