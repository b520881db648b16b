"""What every route shares: the session of the request, the router that sees the reply, and pages of lists."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from api.kernel import idempotency
from api.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from api.kernel.db import Database

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200

Item = TypeVar("Item")


class Schema(BaseModel):
    """An HTTP shape. Fields that it does not know are refused, so that a typing error is not a silent default."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, str_strip_whitespace=True)


class Reply(BaseModel):
    """A shape that is only answered, read from a row's attributes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next_cursor` asks for what follows, and is null at the end."""

    items: Sequence[Item]
    next_cursor: str | None


class Route(APIRoute):
    """Leaves the finished response where the session, which ends after it and before it is sent, can keep it."""

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


def router(prefix: str, tag: str) -> APIRouter:
    """A domain's router."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route)


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.session() as session:
        yield session
        await idempotency.bind(request, session)


# scope="function": the commit happens before the response leaves, so that no client is told of what was not kept
Session = Annotated[AsyncSession, Depends(_session, scope="function")]


class Paging(BaseModel):
    """Which part of a list is asked for."""

    limit: int
    after: list[Any] | None

    def page(self, rows: Sequence[Item], key: Callable[[Item], Sequence[Any]]) -> Page[Item]:
        """Cut `rows`, of which one more than `limit` was fetched, and make the cursor from the last row's sort key."""
        kept = rows[: self.limit]
        cursor = encode_cursor(key(kept[-1])) if len(rows) > self.limit else None
        return Page(items=kept, next_cursor=cursor)


def encode_cursor(values: Sequence[Any]) -> str:
    """An opaque cursor of a row's sort key."""
    return base64.urlsafe_b64encode(orjson.dumps(list(values), default=str)).decode().rstrip("=")


def decode_cursor(cursor: str) -> list[Any]:
    """The sort key in a cursor.

    Raises:
        InvalidInput: it is not a cursor that :func:`encode_cursor` made.
    """
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        msg = "The cursor is not one that this list gave; leave it out to start from the beginning."
        raise InvalidInput(msg) from error
    if not isinstance(values, list):
        msg = "The cursor is not one that this list gave; leave it out to start from the beginning."
        raise InvalidInput(msg)
    return values


def _paging(
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="rows a page")] = PAGE_SIZE,
    cursor: Annotated[str | None, Query(max_length=1000, description="next_cursor of the page before")] = None,
) -> Paging:
    return Paging(limit=limit, after=decode_cursor(cursor) if cursor else None)


PageQuery = Annotated[Paging, Depends(_paging)]
