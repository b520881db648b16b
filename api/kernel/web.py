"""Parts that all routes share: the request's database session, the route class, and the parameters of lists."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession

from api.kernel import idempotency, requests, rules
from api.kernel.container import KernelContainer, container_of
from api.kernel.errors import InvalidInput
from api.kernel.schemas import Page

API_PREFIX = "/api/v1"
PAGE_SIZE = 50
PAGE_SIZE_MAX = 200

Item = TypeVar("Item")


class Route(APIRoute):
    """A route that declares its access rule, refuses unknown query parameters, and keeps its response.

    The session ends after the response is created and before it is sent, and stores it under its idempotency key.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add the rule of the route's dependencies to OpenAPI."""
        super().__init__(path, endpoint, **options)
        self.query_names = frozenset(_query_names(self.dependant))
        described = (self.openapi_extra or {}).get("requestBody", {}).get("content", {})
        self.media_types = frozenset({requests.JSON, *described}) if self.body_field else frozenset()
        rule = rules.find_rule(self.dependant, self.name)
        if rule is not None:
            self.openapi_extra = {**(self.openapi_extra or {}), rules.EXTENSION: rule.as_extension()}

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """FastAPI's handler, which keeps the response in addition."""
        handle = super().get_route_handler()

        async def handle_and_keep(request: Request) -> Response:
            if request.url.path.startswith(API_PREFIX):
                requests.check_parameters(request.query_params.keys(), self.query_names)
                if request.method not in requests.READING_METHODS:
                    requests.check_headers(request.headers.keys())
            if self.media_types:
                requests.check_media_type(request.headers, self.media_types)
            asked = request.query_params.get(idempotency.DRY_RUN, "").lower()
            request.state.is_dry_run = idempotency.DRY_RUN in self.query_names and asked in requests.TRUE_TEXTS
            try:
                response = await handle(request)
            except idempotency.Replay as replay:
                return replay.response
            request.state.response = response
            return response

        return handle_and_keep


def _query_names(dependant: Dependant) -> Iterator[str]:
    """Names of the query parameters of a route and of its dependencies."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _query_names(inner)


def client_address(request: Request) -> str:
    """The client's network address; behind a trusted proxy, the address that the proxy reports."""
    return request.client.host if request.client else ""


def router(prefix: str, tag: str) -> APIRouter:
    """A domain's router."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route)


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    database = container_of(request.app, KernelContainer).database
    if idempotency.is_dry_run(request):
        async with database.dry_run() as session:
            yield session
        return
    async with database.session() as session:
        yield session
        await idempotency.bind(request, session)


# every dependency is a coroutine: FastAPI runs other functions in a thread, which costs more than the rest of the
# request
async def _dry_run(
    dry_run: Annotated[bool, Query(description="respond as usual, but write nothing")] = False,  # noqa: FBT002
) -> bool:
    return dry_run


# declared by routes that offer a dry run, whose session is then rolled back
DryRun = Annotated[bool, Depends(_dry_run)]


async def _required_key(
    request: Request,
    idempotency_key: Annotated[
        str | None, Header(description="Required. Chosen by the client: new for each command, the same for a retry")
    ] = None,
) -> str:
    if idempotency.is_dry_run(request):
        return ""
    if idempotency_key is None:
        msg = "This command requires the header Idempotency-Key: a new key for each command, the same key for a retry."
        raise idempotency.BadKey(msg)
    return idempotency.check_key(idempotency_key)


# declared by commands that must not be repeated by accident; empty in a dry run, which has no key
RequiredKey = Annotated[str, Depends(_required_key)]


# scope="function": commits before the response is sent, so that no response reports what was not committed
Session = Annotated[AsyncSession, Depends(_session, scope="function")]


@dataclass(frozen=True)
class Paging:
    """The requested page of a list: `limit` rows after the row that the cursor identifies."""

    limit: int
    cursor: str | None

    def after(self, *parsers: Callable[[str], Any]) -> tuple[Any, ...] | None:
        """The sort key of the previous page's last row, each part read by its parser; None for the first page.

        Raises:
            InvalidInput: the cursor is not a cursor of this list.
        """
        if self.cursor is None:
            return None
        try:
            values = orjson.loads(base64.urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4)))
            return tuple(parse(value) for parse, value in zip(parsers, values, strict=True))
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            msg = "The cursor is not a cursor of this list; omit it to start from the beginning."
            raise InvalidInput(msg) from error

    def page(self, rows: Sequence[Item], key: Callable[[Item], Sequence[object]]) -> Page[Item]:
        """The first `limit` of `rows`, which has one more if another page follows, and the cursor of the next page."""
        kept = rows[: self.limit]
        if len(rows) <= self.limit:
            return Page(items=kept, next_cursor=None)
        values = orjson.dumps([str(value) for value in key(kept[-1])])
        return Page(items=kept, next_cursor=base64.urlsafe_b64encode(values).decode().rstrip("="))


async def _paging(
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="rows per page")] = PAGE_SIZE,
    cursor: Annotated[str | None, Query(max_length=1000, description="next_cursor of the previous page")] = None,
) -> Paging:
    return Paging(limit, cursor)


PageQuery = Annotated[Paging, Depends(_paging)]
