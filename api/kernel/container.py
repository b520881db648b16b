"""The container of the objects that a process makes once, with their types.

Each domain that has such objects extends the container of the domain below it, so that a module cannot use an object of
a higher domain. `api.container.Container` has the objects of all domains. The application keeps one in
`app.state.container`; only this module reads it there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette

from api.kernel.db import Database
from api.kernel.disk import DiskSpace
from api.kernel.mail import MailPort
from api.kernel.outgoing import Outgoing
from api.kernel.rates import Buckets
from api.kernel.refusals import Refusals
from api.kernel.request_rates import RequestRates
from api.kernel.schema import SchemaState
from api.kernel.storage import StoragePort
from settings import Settings

FindDegraded = Callable[[AsyncConnection], Awaitable[dict[str, str]]]
"""Reports what needs attention while requests are served, by subject; an empty dict if nothing does."""


@dataclass(frozen=True)
class Probe:
    """A server that requests can do without. `ask` raises an error if the server does not work."""

    name: str
    ask: Callable[[], Awaitable[None]]
    timeout_s: float = 5.0


@dataclass(frozen=True, kw_only=True)
class KernelContainer:
    """The objects of every process.

    Attributes:
        settings: the settings of the installation.
        database: the connection pool.
        rate_buckets: the counters of rate limits.
        request_rates: the limits of all routes.
        needed_schema: the state of the database schema that this code needs.
        find_degraded: what readiness reports in addition to the schema, by check; each key is a check that is ok if nothing
            is reported.
        probes: the servers, apart from the database, that readiness asks.
        disk: free space for the data folder and the database.
        mail: sends mails.
        refusals: counts refused requests until they are recorded.
        outgoing: calls other servers.
        storage: stores uploaded files.
    """

    settings: Settings
    database: Database
    rate_buckets: Buckets
    request_rates: RequestRates
    needed_schema: SchemaState
    find_degraded: Mapping[str, FindDegraded]
    probes: tuple[Probe, ...]
    disk: DiskSpace
    mail: MailPort
    refusals: Refusals
    outgoing: Outgoing
    storage: StoragePort

    async def close(self) -> None:
        """Close connections."""
        await self.outgoing.close()
        await self.mail.close()
        await self.rate_buckets.close()
        await self.database.close()


AnyContainer = TypeVar("AnyContainer", bound=KernelContainer)
Part = TypeVar("Part")


def container_of(app: Starlette, kind: type[AnyContainer]) -> AnyContainer:
    """The application's container, as the class `kind` of a domain."""
    container = app.state.container
    assert isinstance(container, kind), f"this application's container is not a {kind.__name__}"
    return container


def provided(kind: type[AnyContainer], part: Callable[[AnyContainer], Part]) -> Callable[[Request], Awaitable[Part]]:
    """A dependency that provides a route with one object of the container."""

    async def provide(request: Request) -> Part:
        return part(container_of(request.app, kind))

    return provide


ProvidedSettings = Annotated[Settings, Depends(provided(KernelContainer, lambda container: container.settings))]
ProvidedDatabase = Annotated[Database, Depends(provided(KernelContainer, lambda container: container.database))]
