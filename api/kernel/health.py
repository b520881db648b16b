"""Is the process alive, and may it be sent requests."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.kernel.rules import PUBLIC
from api.kernel.web import Reply, Route

if TYPE_CHECKING:
    from api.kernel.db import Database

router = APIRouter(prefix="/health", tags=["health"], dependencies=[PUBLIC], route_class=Route)

MIGRATIONS = Path(__file__).parents[1] / "migrations"


class Health(Reply):
    """What was found, a line a check."""

    status: Literal["ok", "failing"]
    checks: dict[str, str]


def newest_migration() -> str:
    """The revision that this code needs the database to be at."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None
    return head


@router.get("/live", operation_id="getLiveness")
async def live() -> Health:
    """Answer as long as the process can answer at all."""
    return Health(status="ok", checks={})


@router.get("/ready", operation_id="getReadiness", responses={503: {"model": Health}})
async def ready(request: Request, response: Response) -> Health:
    """Check that the database answers and that its migrations are at the head that this code was written for."""
    database: Database = request.app.state.database
    needed: str = request.app.state.newest_migration
    checks: dict[str, str] = {}
    try:
        async with database.engine.connect() as connection:
            found = await connection.scalar(text("SELECT version_num FROM app.alembic_version"))
        checks["database"] = "ok"
        checks["migrations"] = "ok" if found == needed else f"at {found}, needed {needed}: run `ideamint db migrate`"
    except (SQLAlchemyError, psycopg.Error, OSError):
        checks["database"] = "away"
    failing = any(found != "ok" for found in checks.values())
    if failing:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Health(status="failing" if failing else "ok", checks=checks)
