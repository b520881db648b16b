"""Is the process alive, and may it be sent requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.kernel.web import Reply

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from api.kernel.db import Database

router = APIRouter(prefix="/health", tags=["health"])

# what a domain reports as degraded, by subject; empty where all is well
FindDegraded = Callable[["AsyncConnection"], Awaitable[dict[str, str]]]

MIGRATIONS = Path(__file__).parents[1] / "migrations"


class Health(Reply):
    """What was found, a line a check; `degraded` is what needs attention while requests are served."""

    status: Literal["ok", "degraded", "failing"]
    checks: dict[str, str]
    degraded: dict[str, str] | None = None


def newest_migration() -> str:
    """The revision that this code needs the database to be at."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None
    return head


@router.get("/live", operation_id="getLiveness", response_model_exclude_none=True)
async def live() -> Health:
    """Answer as long as the process can answer at all."""
    return Health(status="ok", checks={})


@router.get("/ready", operation_id="getReadiness", responses={503: {"model": Health}}, response_model_exclude_none=True)
async def ready(request: Request, response: Response) -> Health:
    """Check that the database answers and that its migrations are at the head that this code was written for."""
    database: Database = request.app.state.database
    needed: str = request.app.state.newest_migration
    checks: dict[str, str] = {}
    degraded: dict[str, str] = {}
    finders: Sequence[FindDegraded] = getattr(request.app.state, "find_degraded", ())
    try:
        async with database.engine.connect() as connection:
            found = await connection.scalar(text("SELECT version_num FROM app.alembic_version"))
            # columns and figures of consumers exist only once the migrations have run
            if found == needed:
                for find in finders:
                    degraded |= await find(connection)
        checks["database"] = "ok"
        checks["migrations"] = "ok" if found == needed else f"at {found}, needed {needed}: run `ideamint db migrate`"
    except (SQLAlchemyError, psycopg.Error, OSError):
        checks["database"] = "away"
    failing = any(found != "ok" for found in checks.values())
    if failing:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    status: Literal["ok", "degraded", "failing"] = "failing" if failing else "degraded" if degraded else "ok"
    return Health(status=status, checks=checks, degraded=degraded or None)
