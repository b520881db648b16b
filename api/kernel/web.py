"""What every route shares: the session of the request, the router that keeps the response, and pages of lists."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, TypeVar, Union

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from api.kernel import idempotency, rules
from api.kernel.container import KernelContainer, container_of
from api.kernel.errors import InvalidInput

API_PREFIX = "/api/v1"
PAGE_SIZE = 50
PAGE_SIZE_MAX = 200

Item = TypeVar("Item")
Known = TypeVar("Known")

# A stored value of a closed set as a response shows it. A later version that runs beside this one may add values to the set;
# they pass as text, so that a row with one does not fail a whole list.
Stored = Union[Known, str]  # noqa: UP007 - a generic alias


class Schema(BaseModel):
    """A request body. Unknown fields are refused, so that a misspelt one is not silently a default."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, str_strip_whitespace=True)


class ResponseModel(BaseModel):
    """A response body, read from a row's attributes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next_cursor` asks for what follows, and is null at the end."""

    items: Sequence[Item]
    next_cursor: str | None


class Route(APIRoute):
    """A route that declares its access rule, and that keeps its response.

    The session ends after the response is made and before it is sent, and stores it under its idempotency key.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Put the rule of the route's dependencies into OpenAPI."""
        super().__init__(path, endpoint, **options)
        rule = rules.find_rule(self.dependant, self.name)
        if rule is not None:
            self.openapi_extra = {**(self.openapi_extra or {}), rules.EXTENSION: rule.as_extension()}

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def handle_and_keep(request: Request) -> Response:
            try:
                response = await handle(request)
            except idempotency.Replay as replay:
                return replay.response
            request.state.response = response
            return response

        return handle_and_keep


def client_address(request: Request) -> str:
    """The caller's network address as the server sees it; behind a trusted proxy, as the proxy reports it."""
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


# every dependency is a coroutine: FastAPI runs any other in a thread, which costs more than the rest of the request
async def _dry_run(
    dry_run: Annotated[bool, Query(description="the full outcome, and nothing written")] = False,  # noqa: FBT002
) -> bool:
    return dry_run


# declared by routes that offer a dry run; the session of any request with the parameter is rolled back
DryRun = Annotated[bool, Depends(_dry_run)]


async def _required_key(
    request: Request,
    idempotency_key: Annotated[
        str | None, Header(description="Required. Yours, new for each command, the same for a retry")
    ] = None,
) -> str:
    if idempotency.is_dry_run(request):
        return ""
    if idempotency_key is None:
        msg = "This command needs the header Idempotency-Key: yours, new for each command, the same for a retry."
        raise idempotency.BadKey(msg)
    return idempotency.check_key(idempotency_key)


# declared by commands that must not be repeated by accident; empty in a dry run, which takes no key
RequiredKey = Annotated[str, Depends(_required_key)]


# scope="function": the commit happens before the response is sent, so that no response states what was not committed
Session = Annotated[AsyncSession, Depends(_session, scope="function")]


@dataclass(frozen=True)
class Paging:
    """The requested part of a list: `limit` rows after the row that the cursor names."""

    limit: int
    cursor: str | None

    def after(self, *parsers: Callable[[str], Any]) -> tuple[Any, ...] | None:
        """The sort key of the last row seen, each part read by its parser; None at the beginning.

        Raises:
            InvalidInput: the cursor is not one that this list gave.
        """
        if self.cursor is None:
            return None
        try:
            values = orjson.loads(base64.urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4)))
            return tuple(parse(value) for parse, value in zip(parsers, values, strict=True))
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            msg = "The cursor is not one that this list gave; leave it out to start from the beginning."
            raise InvalidInput(msg) from error

    def page(self, rows: Sequence[Item], key: Callable[[Item], Sequence[object]]) -> Page[Item]:
        """Cut `rows`, of which one more than `limit` was fetched, and make the cursor from the last row's sort key."""
        kept = rows[: self.limit]
        if len(rows) <= self.limit:
            return Page(items=kept, next_cursor=None)
        values = orjson.dumps([str(value) for value in key(kept[-1])])
        return Page(items=kept, next_cursor=base64.urlsafe_b64encode(values).decode().rstrip("="))


async def _paging(
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="rows a page")] = PAGE_SIZE,
    cursor: Annotated[str | None, Query(max_length=1000, description="next_cursor of the page before")] = None,
) -> Paging:
    return Paging(limit, cursor)


PageQuery = Annotated[Paging, Depends(_paging)]
