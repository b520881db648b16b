"""Liveness and readiness of the process."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Depends, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.kernel.container import KernelContainer, ProvidedDatabase, provided
from api.kernel.web import ResponseModel

router = APIRouter(prefix="/health", tags=["health"])

_NewestMigration = Annotated[str, Depends(provided(KernelContainer, lambda container: container.newest_migration))]

MIGRATIONS = Path(__file__).parents[1] / "migrations"


class Health(ResponseModel):
    """The result of each check, by name."""

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
    """Answer while the process can serve requests at all."""
    return Health(status="ok", checks={})


@router.get("/ready", operation_id="getReadiness", responses={503: {"model": Health}})
async def ready(response: Response, database: ProvidedDatabase, needed: _NewestMigration) -> Health:
    """Check that the database answers and is at the revision that this code needs."""
    checks: dict[str, str] = {}
    try:
        async with database.engine.connect() as connection:
            found = await connection.scalar(text("SELECT version_num FROM app.alembic_version"))
        checks["database"] = "ok"
        checks["migrations"] = "ok" if found == needed else f"at {found}, needed {needed}: run `ideamint db migrate`"
    except (SQLAlchemyError, psycopg.Error, OSError):
        checks["database"] = "unavailable"
    failing = any(found != "ok" for found in checks.values())
    if failing:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Health(status="failing" if failing else "ok", checks=checks)
