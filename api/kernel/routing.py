"""The classes of routes: what the kernel does for each request before and after the route's function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.kernel import contract, idempotency, preconditions, request_rates, requests, rules
from api.kernel.container import KernelContainer, container_of
from api.kernel.deprecation import find_deprecation
from api.kernel.errors import ProblemType
from api.kernel.http_limits import HEADERS_TOO_LARGE, REQUEST_LINE_TOO_LONG
from api.kernel.middleware import UnknownHost
from api.kernel.networks import client_address
from api.kernel.problems import BAD_REQUEST, BODY_TOO_LARGE, INTERNAL, VALIDATION
from api.kernel.rates import RateLimited, begin_counting
from api.kernel.representations import NOT_MODIFIED, finish
from api.kernel.request_rates import Counting, RateClass

Handler = Callable[[Request], Awaitable[Response]]


class LimitedRoute(APIRoute):
    """A route whose requests are counted in its class."""

    is_limited: ClassVar[bool] = True

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Find the class of the route."""
        super().__init__(path, endpoint, **options)
        self.rate_class = request_rates.find_class(self.dependant)
        # the headers that identify the caller
        self.credentials = tuple(sorted(set(request_rates.find_credentials(self.dependant))))
        self.query_names = frozenset(_query_names(self.dependant))
        self.has_searches = request_rates.SEARCH_PARAMETER in self.query_names
        deprecation = find_deprecation(self.endpoint)
        self.deprecation_headers = deprecation.headers() if deprecation else ()
        if deprecation:
            self.deprecated = True
            self.description = "\n\n".join(filter(None, (deprecation.text(), self.description)))

    def make_handler(self) -> Handler:
        """The function that handles a request that was counted."""
        return super().get_route_handler()

    def get_route_handler(self) -> Handler:  # type: ignore[override]
        """The function that counts a request and handles it."""
        handle = self.make_handler()
        if not self.is_limited:
            return handle

        async def count_and_handle(request: Request) -> Response:
            counting = self._counting(request)
            request.state.counting = counting
            if self.deprecation_headers:
                request.state.response_headers = self.deprecation_headers
            try:
                await counting.begin(is_authenticating=bool(self.credentials))
                return await handle(request)
            except Exception:
                await counting.refused()
                raise

        return count_and_handle

    def _counting(self, request: Request) -> Counting:
        is_search = self.has_searches and request_rates.SEARCH_PARAMETER in request.query_params
        levels = request.scope["state"].get("rate_levels")
        return Counting(
            rates=container_of(request.app, KernelContainer).request_rates,
            rate_class=RateClass.SEARCHES if is_search else self.rate_class,
            address=client_address(request),
            levels=begin_counting() if levels is None else levels,
        )


class Route(LimitedRoute):
    """A route that declares its access rule, refuses unknown query parameters, and keeps its response.

    The session ends after the response is created and before it is sent, and stores it under its idempotency key.
    """

    checks_requests: ClassVar[bool] = True
    """Whether query parameters and headers that the route does not read are refused."""
    may_be_kept: ClassVar[bool] = True
    """Whether clients may keep what they read, and ask by its tag whether it is still current."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add the rule of the route's dependencies, its problems and its key to OpenAPI."""
        super().__init__(path, endpoint, **options)
        described = (self.openapi_extra or {}).get("requestBody", {}).get("content", {})
        self.media_types = frozenset({requests.JSON, *described}) if self.body_field else frozenset()
        self.is_write = bool(set(self.methods or ()) - requests.READING_METHODS)
        self.rule = rule = rules.find_rule(self.dependant, self.name)
        if self.is_limited:
            self.openapi_extra = {**(self.openapi_extra or {}), request_rates.EXTENSION: self.rate_class.value}
        if rule is not None:
            described_rule = rule.as_extension(is_write=self.is_write)
            self.openapi_extra = {**(self.openapi_extra or {}), rules.EXTENSION: described_rule}
            if rule.scope is rules.Scope.PUBLIC and rule.permissions:
                # beside the ways to log in that FastAPI adds: a public campaign needs none
                self.openapi_extra["security"] = [{}]
        self.is_kept = self.may_be_kept and not self.is_write
        self.has_condition = _is_called(self.dependant, preconditions.read_condition)
        problems = set(self._problems())
        self.responses = _merged(contract.describe(problems), self.responses)
        if self.is_kept:
            self.responses = {**NOT_MODIFIED, **self.responses}
        if self.is_write and idempotency.KeyReused.problem_type() in problems:
            key = idempotency.describe_key(is_required=_is_called(self.dependant, idempotency.required_key))
            self.openapi_extra = {**(self.openapi_extra or {}), "parameters": [key]}

    def _problems(self) -> Iterator[ProblemType]:
        """What the route can respond with in addition to its own responses."""
        yield from (INTERNAL, UnknownHost.problem_type(), REQUEST_LINE_TOO_LONG, HEADERS_TOO_LARGE)
        for problem in contract.find_problems(self.dependant):
            if self.is_write or problem not in idempotency.PROBLEMS:
                yield problem
        if self.is_limited:
            yield RateLimited.problem_type()
        if self.checks_requests:
            yield requests.UnknownParameter.problem_type()
            if self.is_write:
                yield requests.MisspeltHeader.problem_type()
                yield preconditions.ConditionInvalid.problem_type()
        if self.is_write:
            yield BODY_TOO_LARGE
        if self.media_types:
            yield from (BAD_REQUEST, requests.UnsupportedMediaType.problem_type())
        if self.body_field or self.query_names or self.dependant.path_params or self.param_convertors:
            yield VALIDATION

    def make_handler(self) -> Handler:
        """FastAPI's handler, which keeps the response in addition."""
        handle = super().make_handler()

        async def handle_and_keep(request: Request) -> Response:
            if self.checks_requests:
                requests.check_parameters(request.query_params.keys(), self.query_names)
                if self.is_write:
                    requests.check_headers(request.headers.keys())
                    if not self.has_condition:
                        preconditions.check_not_given(self.operation_id or self.name, request.headers)
            if self.media_types:
                requests.check_media_type(request.headers, self.media_types)
            request.state.rule = self.rule
            request.state.operation = self.operation_id or self.name
            asked = request.query_params.get(idempotency.DRY_RUN, "").lower()
            request.state.is_dry_run = idempotency.DRY_RUN in self.query_names and asked in requests.TRUE_TEXTS
            try:
                response = await handle(request)
            except idempotency.Replay as replay:
                return replay.response
            request.state.response = response
            return await finish(response, request.headers, self.credentials) if self.is_kept else response

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
