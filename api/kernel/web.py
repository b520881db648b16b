"""Parts that all routes share: the request's database session, and the parameters of lists."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from api.kernel import contract, idempotency, requests
from api.kernel.container import KernelContainer, container_of
from api.kernel.db import Statements
from api.kernel.errors import InvalidInput
from api.kernel.networks import client_address as client_address  # noqa: PLC0414 - the routes of all domains take it from here
from api.kernel.problems import DATABASE_PROBLEMS
from api.kernel.routing import Route
from api.kernel.schemas import Page

API_PREFIX = "/api/v1"
PAGE_SIZE = 50
PAGE_SIZE_MAX = 200

Item = TypeVar("Item")


def router(prefix: str, tag: str) -> APIRouter:
    """A domain's router."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route)


@contract.raises(*DATABASE_PROBLEMS)
async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    database = container_of(request.app, KernelContainer).database
    if request.method in requests.READING_METHODS:
        async with database.reading() as session:
            yield session
        return
    if idempotency.is_dry_run(request):
        async with database.dry_run() as session:
            yield session
        return
    async with database.session() as session:
        yield session
        await idempotency.bind(request, session)


@contract.raises(*DATABASE_PROBLEMS)
async def _statements(request: Request) -> AsyncIterator[Statements]:
    async with container_of(request.app, KernelContainer).database.statements() as statements:
        yield statements


# every dependency is a coroutine: FastAPI runs other functions in a thread, which costs more than the rest of the
# request
async def _dry_run(
    dry_run: Annotated[bool, Query(description="respond as usual, but write nothing")] = False,  # noqa: FBT002
) -> bool:
    return dry_run


# declared by routes that offer a dry run, whose session is then rolled back
DryRun = Annotated[bool, Depends(_dry_run)]


# declared by commands that must not be repeated by accident; empty in a dry run, which has no key
RequiredKey = Annotated[str, Depends(idempotency.required_key)]


# scope="function": commits before the response is sent, so that no response reports what was not committed
Session = Annotated[AsyncSession, Depends(_session, scope="function")]


# for routes that are read very often: their statements take a third of the time of a session's
Reading = Annotated[Statements, Depends(_statements, scope="function")]


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
        return Page(items=kept, next_cursor=self.cursor_of(key(kept[-1])))

    def cursor_of(self, key: Sequence[object]) -> str:
        """The cursor of the page after the row with this sort key."""
        values = orjson.dumps([str(value) for value in key])
        return base64.urlsafe_b64encode(values).decode().rstrip("=")


@contract.raises(InvalidInput)
async def _paging(
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="rows per page")] = PAGE_SIZE,
    cursor: Annotated[str | None, Query(max_length=1000, description="next_cursor of the previous page")] = None,
) -> Paging:
    return Paging(limit, cursor)


PageQuery = Annotated[Paging, Depends(_paging)]
