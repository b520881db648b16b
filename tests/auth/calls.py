"""Requests and assertions of the tests of accounts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from httpx2 import AsyncClient
from sqlalchemy import text

from api.auth import sessions
from api.auth.models import User
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.containers import parts
from tests.factories.users import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from httpx2 import Response


PROBLEM = "urn:ideamint:problem:"


def new_email() -> str:
    return f"Anna.{uuid4().hex[:10]}@example.org"


def assert_problem(response: Response, status: int, slug: str) -> dict[str, Any]:
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    document: dict[str, Any] = response.json()
    assert (document["type"], document["status"]) == (PROBLEM + slug, status)
    if status == 401:
        assert response.headers["www-authenticate"].startswith("Bearer")
    return document


def problem(response: Response) -> tuple[int, str]:
    """The status of a refusal, and the name of its problem."""
    return response.status_code, response.json()["type"].rpartition(":")[2]


async def events_of(app: FastAPI, user: User) -> list[str]:
    async with parts(app).database.session() as session:
        found = await session.scalars(
            text("SELECT kind FROM app.events WHERE user_id = :user_id ORDER BY recorded_at, id"), {"user_id": user.id}
        )
        return list(found)


async def change(app: FastAPI, statement: str, **values: Any) -> None:
    async with parts(app).database.session() as session:
        await session.execute(text(statement), values)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(GIVE_UP_AFTER_S):
        while not is_so():  # noqa: ASYNC110 - the condition has no event to wait for
            await asyncio.sleep(0.01)


async def log_in(http: AsyncClient, user: User, password: str = PASSWORD) -> Response:
    return await http.post("/api/v1/auth/login", json={"email": user.email, "password": password})


async def refresh(http: AsyncClient, refresh_token: str) -> Response:
    return await http.post("/api/v1/auth/refresh", json={"refresh_token": refresh_token})


def header(tokens: Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.json()['access_token']}"}


async def browser_cookie(app: FastAPI, user: User) -> str:
    async with parts(app).database.session() as session:
        issued = await sessions.start_session(session, parts(app).settings, user.id, kind="browser")
    assert issued is not None
    return issued.secret
