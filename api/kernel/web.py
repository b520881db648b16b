"""Parts that all routes share: the request's database session, the route class, and the parameters of lists."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession

from api.kernel import contract, idempotency, requests, rules
from api.kernel.container import KernelContainer, container_of
from api.kernel.errors import InvalidInput, ProblemType
from api.kernel.http_limits import HEADERS_TOO_LARGE, REQUEST_LINE_TOO_LONG
from api.kernel.middleware import UnknownHost
from api.kernel.problems import BAD_REQUEST, BODY_TOO_LARGE, DATABASE_PROBLEMS, INTERNAL, VALIDATION
from api.kernel.schemas import Page

API_PREFIX = "/api/v1"
PAGE_SIZE = 50
PAGE_SIZE_MAX = 200

Item = TypeVar("Item")


class Route(APIRoute):
    """A route that declares its access rule, refuses unknown query parameters, and keeps its response.

    The session ends after the response is created and before it is sent, and stores it under its idempotency key.
    """

    checks_requests: ClassVar[bool] = True
    """Whether query parameters and headers that the route does not read are refused."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add the rule of the route's dependencies, its problems and its key to OpenAPI."""
        super().__init__(path, endpoint, **options)
        self.query_names = frozenset(_query_names(self.dependant))
        described = (self.openapi_extra or {}).get("requestBody", {}).get("content", {})
        self.media_types = frozenset({requests.JSON, *described}) if self.body_field else frozenset()
        self.is_write = bool(set(self.methods or ()) - requests.READING_METHODS)
        self.rule = rule = rules.find_rule(self.dependant, self.name)
        if rule is not None:
            described_rule = rule.as_extension(is_write=self.is_write)
            self.openapi_extra = {**(self.openapi_extra or {}), rules.EXTENSION: described_rule}
            if rule.scope is rules.Scope.PUBLIC and rule.permissions:
                # beside the ways to log in that FastAPI adds: a public campaign needs none
                self.openapi_extra["security"] = [{}]
        problems = set(self._problems())
        self.responses = _merged(contract.describe(problems), self.responses)
        if self.is_write and idempotency.KeyReused.problem_type() in problems:
            key = idempotency.describe_key(is_required=_is_called(self.dependant, _required_key))
            self.openapi_extra = {**(self.openapi_extra or {}), "parameters": [key]}

    def _problems(self) -> Iterator[ProblemType]:
        """What the route can respond with in addition to its own responses."""
        yield from (INTERNAL, UnknownHost.problem_type(), REQUEST_LINE_TOO_LONG, HEADERS_TOO_LARGE)
        for problem in contract.find_problems(self.dependant):
            if self.is_write or problem not in idempotency.PROBLEMS:
                yield problem
        if self.checks_requests:
            yield requests.UnknownParameter.problem_type()
            if self.is_write:
                yield requests.MisspeltHeader.problem_type()
        if self.is_write:
            yield BODY_TOO_LARGE
        if self.media_types:
            yield from (BAD_REQUEST, requests.UnsupportedMediaType.problem_type())
        if self.body_field or self.query_names or self.dependant.path_params or self.param_convertors:
            yield VALIDATION

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """FastAPI's handler, which keeps the response in addition."""
        handle = super().get_route_handler()

        async def handle_and_keep(request: Request) -> Response:
            if self.checks_requests:
                requests.check_parameters(request.query_params.keys(), self.query_names)
                if self.is_write:
                    requests.check_headers(request.headers.keys())
            if self.media_types:
                requests.check_media_type(request.headers, self.media_types)
            asked = request.query_params.get(idempotency.DRY_RUN, "").lower()
            request.state.rule = self.rule
            request.state.operation = self.operation_id or self.name
            request.state.is_dry_run = idempotency.DRY_RUN in self.query_names and asked in requests.TRUE_TEXTS
            try:
                response = await handle(request)
            except idempotency.Replay as replay:
                return replay.response
            request.state.response = response
            return response

        return handle_and_keep


def _merged(
    described: dict[int | str, dict[str, Any]], given: dict[int | str, dict[str, Any]]
) -> dict[int | str, dict[str, Any]]:
    """The responses of the problems with those that the route gives; a status can have both."""
    merged = {**described}
    for status, response in given.items():
        problem = described.get(int(status), {})
        content = {**problem.get("content", {}), **response.get("content", {})}
        merged[int(status)] = {**problem, **response} | ({"content": content} if content else {})
    return merged


def _is_called(dependant: Dependant, call: object) -> bool:
    """Whether a function is among the dependencies of a route."""
    return any(inner.call is call or _is_called(inner, call) for inner in dependant.dependencies)


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


# every dependency is a coroutine: FastAPI runs other functions in a thread, which costs more than the rest of the
# request
async def _dry_run(
    dry_run: Annotated[bool, Query(description="respond as usual, but write nothing")] = False,  # noqa: FBT002
) -> bool:
    return dry_run


# declared by routes that offer a dry run, whose session is then rolled back
DryRun = Annotated[bool, Depends(_dry_run)]


@contract.raises(idempotency.BadKey, idempotency.KeyReused)
async def _required_key(request: Request) -> str:
    if idempotency.is_dry_run(request):
        return ""
    key = request.headers.get(idempotency.HEADER)
    if key is None:
        msg = "This command requires the header Idempotency-Key: a new key for each command, the same key for a retry."
        raise idempotency.BadKey(msg)
    return idempotency.check_key(key)


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


@contract.raises(InvalidInput)
async def _paging(
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="rows per page")] = PAGE_SIZE,
    cursor: Annotated[str | None, Query(max_length=1000, description="next_cursor of the previous page")] = None,
) -> Paging:
    return Paging(limit, cursor)


PageQuery = Annotated[Paging, Depends(_paging)]
