"""The record of a domain: the parts that the API and the worker run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Generic, Protocol

from fastapi import APIRouter
from starlette.middleware import Middleware

from api.kernel.background import Loop
from api.kernel.container import KernelContainer
from api.kernel.jobs import Job, Needs_contra
from settings import Settings


class Consumer(Protocol):
    """The interface of a consumer of events; `api.events` defines the class."""

    @property
    def name(self) -> str:
        """Its name, unique over all domains: cursors are stored under it."""


def _no_middleware(_: KernelContainer) -> tuple[Middleware, ...]:
    return ()


def _no_lifespan(_: KernelContainer) -> AbstractAsyncContextManager[object]:
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Domain(Generic[Needs_contra]):
    """A domain's parts. `Needs_contra` is the container that its middleware and lifespan read.

    Attributes:
        name: its name in `IDEAMINT_SERVICES`.
        routers: routes of the API, mounted under its prefix.
        pages: routes of HTML pages, mounted at the root.
        middleware: creates the ASGI middleware that runs before routing, the outermost last.
        lifespan: creates the context that is entered before the first request and left after the last response.
        body_bytes_max: paths below the API's prefix whose request bodies may be longer than the general limit, in bytes, or
            by a setting; a segment `{name}` is any.
        background: loops that a worker runs.
        consumers: consumers of events that a worker runs.
        jobs: deferred and periodic jobs that a worker runs.
    """

    name: str
    routers: tuple[APIRouter, ...] = ()
    pages: tuple[APIRouter, ...] = ()
    middleware: Callable[[Needs_contra], tuple[Middleware, ...]] = _no_middleware
    lifespan: Callable[[Needs_contra], AbstractAsyncContextManager[object]] = _no_lifespan
    body_bytes_max: Mapping[str, int | Callable[[Settings], int]] = field(default_factory=dict)
    background: tuple[Loop, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    jobs: tuple[Job[Needs_contra, ...], ...] = ()
