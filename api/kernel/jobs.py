"""Jobs: deferred and periodic work that is stored in the database and retried until it succeeds.

A job is deferred in the transaction of its cause: a rollback leaves no job. It runs at least once, in any worker, and
again after a failure or after its process was killed, so its effects must be idempotent. Its arguments are ids only,
not addresses, tokens or texts, because rows of finished jobs are kept for a week. The queue is procrastinate's, in the
schema `jobs`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar
from uuid import UUID

import psycopg

from api.kernel.container import KernelContainer

if TYPE_CHECKING:
    from procrastinate import App
    from sqlalchemy.ext.asyncio import AsyncSession

Needs_contra = TypeVar("Needs_contra", bound=KernelContainer, contravariant=True)
Ids = ParamSpec("Ids")


@dataclass(frozen=True, kw_only=True)
class Job(Generic[Needs_contra, Ids]):
    """A declared job. `Needs_contra` is the container that its function reads.

    Attributes:
        name: its name in snake case, unique over all domains: deferred jobs are stored under it.
        run: the function. After the container it takes ids by name, each a UUID or an int.
        cron: when a periodic job runs, in UTC; such a job takes no ids. A run that was missed while no worker ran is
            run at the next start.
        is_unique: whether a job is deferred only if no other job with the same ids is queued.
        attempts_max: how often it is run before it is marked as failed, with pauses of 4, 16, 64, ... seconds.
    """

    name: str
    run: Callable[Concatenate[Needs_contra, Ids], Awaitable[object]]
    cron: str | None = None
    is_unique: bool = False
    attempts_max: int = 5

    def __post_init__(self) -> None:
        """Refuse an invalid declaration."""
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", self.name), f"{self.name!r} is not a name in snake case"
        assert self.attempts_max > 0, f"{self.name} is never run"
        ids = list(inspect.signature(self.run).parameters.values())[1:]
        assert all(each.kind is each.KEYWORD_ONLY for each in ids), f"{self.name}: ids are passed by name"
        assert not (self.cron and ids), f"{self.name}: a periodic job takes no ids"


async def defer(session: AsyncSession, job: Job[Any, Ids], *none: Ids.args, **ids: Ids.kwargs) -> bool:
    """Defer a job in the session's transaction; False if it is unique and an equal job is already queued.

    Raises:
        TypeError: an argument is missing, unknown, or neither a UUID nor an int.
    """
    assert not none, "ids are passed by name"
    inspect.signature(job.run).bind(None, **ids)
    arguments = {name: _as_argument(job, name, value) for name, value in ids.items()}
    if not job.is_unique:
        await _insert(session, job, [arguments], None)
        return True
    from procrastinate.exceptions import AlreadyEnqueued

    lock = ":".join([job.name, *(f"{name}={arguments[name]}" for name in sorted(arguments))])
    try:
        async with session.begin_nested():  # a refused row rolls back the savepoint, not the transaction
            await _insert(session, job, [arguments], lock)
    except AlreadyEnqueued:
        return False
    return True


async def defer_each(session: AsyncSession, job: Job[Any, Any], name: str, ids: Sequence[UUID]) -> None:
    """Defer a job for each of many ids, its argument `name`, by one statement in the session's transaction."""
    assert not job.is_unique, f"{job.name} is deferred one by one"
    if ids:
        inspect.signature(job.run).bind(None, **{name: ids[0]})
        await _insert(session, job, [{name: str(each)} for each in ids], None)


def as_ids(arguments: dict[str, Any]) -> dict[str, UUID | int]:
    """The ids of a stored job: UUIDs are stored as text."""
    return {name: UUID(value) if isinstance(value, str) else int(value) for name, value in arguments.items()}


def _as_argument(job: Job[Any, Any], name: str, value: object) -> str | int:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    msg = f"{job.name}: {name} must be a UUID or an int, not {type(value).__name__}"
    raise TypeError(msg)


async def _insert(
    session: AsyncSession, job: Job[Any, Any], arguments: Sequence[dict[str, Any]], lock: str | None
) -> None:
    from procrastinate.exceptions import ConnectorException

    connection = await (await session.connection()).get_raw_connection()
    deferrer = _app().configure_task(
        job.name, queue=job.name, queueing_lock=lock, connection=connection.driver_connection
    )
    try:
        await deferrer.batch_defer_async(*arguments)
    except ConnectorException as failure:
        if isinstance(failure.__cause__, psycopg.Error):
            raise failure.__cause__ from None  # the same error as from any other statement of the session
        raise


@cache
def _app() -> App:
    """The application that inserts jobs on connections of sessions; it has no connection of its own."""
    from procrastinate import App, PsycopgConnector  # takes 0.5 s to import

    return App(connector=PsycopgConnector())
