"""Liveness and readiness of the process."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Annotated, Literal

import psycopg
import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.kernel.container import KernelContainer, Probe, provided
from api.kernel.routing import Route
from api.kernel.rules import PUBLIC
from api.kernel.schema import REVISION, ROUTINES, SchemaState
from api.kernel.schemas import ResponseModel

log = structlog.get_logger(__name__)

DATABASE_S = 5.0
UNAVAILABLE = "unavailable"


class HealthRoute(Route):
    """A route for monitors, which may add parameters of their own, and ask as often as they need."""

    checks_requests = False
    may_be_kept = False
    is_limited = False


router = APIRouter(prefix="/health", tags=["health"], dependencies=[PUBLIC], route_class=HealthRoute)

_Container = Annotated[KernelContainer, Depends(provided(KernelContainer, lambda container: container))]


class Check(ResponseModel):
    """The result of one check. `detail` says what is wrong, if something is."""

    required: bool = Field(description="whether the process can serve no request without it")
    ok: bool
    latency_ms: float | None = Field(None, description="how long the answer took; null if nothing was asked")
    detail: str | None = None


class Health(ResponseModel):
    """Results by check. A process whose status is `degraded` still serves requests."""

    status: Literal["ok", "degraded", "failing"]
    checks: dict[str, Check]


@router.get("/live", operation_id="getLiveness")
async def live() -> Health:
    """Respond with 200 while the process can serve requests."""
    return Health(status="ok", checks={})


@router.get("/ready", operation_id="getReadiness", responses={503: {"model": Health}})
async def ready(response: Response, container: _Container) -> Health:
    """Ask each dependency whether it works: 503 if a required one does not.

    Required are the database, and a schema at the revision that this code needs, or at a later one. The status is `degraded`,
    with status code 200, if requests are served but something needs attention: database routines of another version (two
    versions may run side by side), a missing worker, consumers that lag, parked events, a disk that is full or almost full,
    Redis or the mail server, if they are configured.

    The dependencies are asked at the same time, each for at most 5 s.
    """
    asked = asyncio.gather(*map(_ask, container.probes))
    found, others = await asyncio.gather(_ask_database(container), asked)
    checks = found | dict(others) | {name: _optional(detail) for name, detail in container.disk.findings().items()}
    failed = [check for check in checks.values() if not check.ok]
    if any(check.required for check in failed):
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Health(status="failing", checks=checks)
    return Health(status="degraded" if failed else "ok", checks=checks)


async def _ask(probe: Probe) -> tuple[str, Check]:
    """The check of a server that requests can do without."""
    started, detail = time.perf_counter(), None
    try:
        async with asyncio.timeout(probe.timeout_s):
            await probe.ask()
    except Exception as error:  # noqa: BLE001 - whatever it is, the server does not work
        log.warning("a dependency does not work", dependency=probe.name, error=str(error) or repr(error))
        detail = UNAVAILABLE
    return probe.name, _optional(detail, started)


async def _ask_database(container: KernelContainer) -> dict[str, Check]:
    """The checks of the database, over one connection."""
    checks: dict[str, Check] = {}
    started = time.perf_counter()
    try:
        async with asyncio.timeout(DATABASE_S), container.database.engine.connect() as connection:
            found = await _schema_state(connection)
            checks["database"] = Check(required=True, ok=True, latency_ms=_ms_since(started))
            missing = found.missing_for(container.needed_schema)
            checks["migrations"] = Check(required=True, ok=missing is None, detail=missing)
            if missing is not None:
                return checks
            differing = ", ".join(found.differing_routines(container.needed_schema))
            checks["routines"] = _optional(f"not of this version: {differing}" if differing else None)
            for name, find in container.find_degraded.items():
                started = time.perf_counter()
                degraded = await find(connection)
                checks |= {each: _optional(detail, started) for each, detail in degraded.items()}
                if not degraded:
                    checks[name] = _optional(None, started)
    except (SQLAlchemyError, psycopg.Error, OSError, TimeoutError) as error:
        log.warning("a dependency does not work", dependency="database", error=str(error) or repr(error))
        return {"database": Check(required=True, ok=False, latency_ms=_ms_since(started), detail=UNAVAILABLE)}
    return checks


def _optional(detail: str | None, started: float | None = None) -> Check:
    latency_ms = None if started is None else _ms_since(started)
    return Check(required=False, ok=detail is None, latency_ms=latency_ms, detail=detail)


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


async def _schema_state(connection: AsyncConnection) -> SchemaState:
    try:
        state = SchemaState(int(await connection.scalar(text(REVISION))), {})
        if not state.is_from_before_the_squash:
            rows = await connection.execute(text(ROUTINES))
            state = SchemaState(state.revision, {row.name: row.hash for row in rows})
    except ProgrammingError:  # the schema or its tables do not exist yet, or this role has no rights on them
        return SchemaState(None, {})
    return state
