"""Liveness and readiness of the process."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

import psycopg
from fastapi import APIRouter, Depends, Response
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.kernel.container import FindDegraded, KernelContainer, ProvidedDatabase, provided
from api.kernel.disk import DiskSpace
from api.kernel.routing import Route
from api.kernel.rules import PUBLIC
from api.kernel.schema import REVISION, ROUTINES, SchemaState
from api.kernel.schemas import ResponseModel


class HealthRoute(Route):
    """A route for monitors, which may add parameters of their own, and ask as often as they need."""

    checks_requests = False
    may_be_kept = False
    is_limited = False


router = APIRouter(prefix="/health", tags=["health"], dependencies=[PUBLIC], route_class=HealthRoute)

_NeededSchema = Annotated[SchemaState, Depends(provided(KernelContainer, lambda container: container.needed_schema))]
_FindDegraded = Annotated[
    tuple[FindDegraded, ...], Depends(provided(KernelContainer, lambda container: container.find_degraded))
]
_Disk = Annotated[DiskSpace, Depends(provided(KernelContainer, lambda container: container.disk))]


class Health(ResponseModel):
    """Results by check. A process whose status is `degraded` still serves requests."""

    status: Literal["ok", "degraded", "failing"]
    checks: dict[str, str]


@router.get("/live", operation_id="getLiveness")
async def live() -> Health:
    """Respond with 200 while the process can serve requests."""
    return Health(status="ok", checks={})


@router.get("/ready", operation_id="getReadiness", responses={503: {"model": Health}})
async def ready(
    response: Response, database: ProvidedDatabase, needed: _NeededSchema, finders: _FindDegraded, disk: _Disk
) -> Health:
    """Check that the database responds and is at the revision that this code needs, or at a later one.

    The status is `degraded`, with status code 200, if requests are served but something needs attention: database
    routines of another version (two versions may run side by side), a missing worker, consumers that lag, parked
    events, a disk that is full or almost full.
    """
    try:
        async with database.engine.connect() as connection:
            found = await _schema_state(connection)
            missing = found.missing_for(needed)
            if missing is not None:
                response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
                return Health(status="failing", checks={"database": "ok", "migrations": missing})
            checks = {"database": "ok", "migrations": "ok", "routines": "ok"}
            if differing := found.differing_routines(needed):
                checks["routines"] = f"not of this version: {', '.join(differing)}"
            for find in finders:
                checks |= await find(connection)
    except (SQLAlchemyError, psycopg.Error, OSError):
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Health(status="failing", checks={"database": "unavailable", **disk.findings()})
    checks |= disk.findings()
    return Health(status="ok" if set(checks.values()) == {"ok"} else "degraded", checks=checks)


async def _schema_state(connection: AsyncConnection) -> SchemaState:
    try:
        state = SchemaState(int(await connection.scalar(text(REVISION))), {})
        if not state.is_from_before_the_squash:
            rows = await connection.execute(text(ROUTINES))
            state = SchemaState(state.revision, {row.name: row.hash for row in rows})
    except ProgrammingError:  # the schema or its tables do not exist yet, or this role has no rights on them
        return SchemaState(None, {})
    return state
