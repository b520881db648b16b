from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth import service
from api.auth.errors import BadEmail, EmailTaken, WeakPassword
from api.auth.models import SessionToken, User, UserSession
from api.kernel import clock
from api.kernel.db import Model
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.ids import uuid7
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, make_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI


@pytest.fixture
async def unit(app: FastAPI) -> AsyncIterator[AsyncSession]:
    """A session of the application that is rolled back."""
    async with parts(app).database.engine.connect() as connection, AsyncSession(connection) as session:
        yield session


class TestModels:
    def test_are_the_tables_of_the_migration(self, admin_url: str) -> None:
        tables = {model.__tablename__ for model in (User, UserSession, SessionToken)}

        def is_ours(name: str | None, kind: str, _: Any) -> bool:
            return {"schema": name == "app", "table": name in tables}.get(kind, True)

        def is_ours_in_code(_: Any, name: str | None, kind: str, *__: Any) -> bool:
            return kind != "table" or name in tables

        options = {"include_schemas": True, "include_name": is_ours, "include_object": is_ours_in_code}
        engine = create_engine(admin_url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, Model.metadata) == []


class TestCreateUser:
    async def test_stores_the_given_values(self, unit: AsyncSession) -> None:
        actor = uuid7()
        made = await service.create_user(
            unit,
            email="Maja@EXAMPLE.org",
            display_name="Maja Wilk",
            password=PASSWORD,
            roles=["executive", "executive"],
            permissions=["create_campaign"],
            actor_id=actor,
        )
        await unit.refresh(made)
        assert (made.email, made.display_name, made.created_by) == ("Maja@example.org", "Maja Wilk", actor)
        assert (made.roles, made.permissions, made.is_active) == (["executive"], ["create_campaign"], True)
        assert made.password_hash is not None
        assert made.password_hash.startswith("$argon2id$")

    async def test_a_user_without_an_address_cannot_log_in(self, unit: AsyncSession) -> None:
        made = await service.create_user(unit, email=None, display_name="Somebody")
        assert (made.email, made.password_hash) == (None, None)

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            ({"email": "maja"}, BadEmail),
            ({"email": None, "password": PASSWORD}, BadEmail),
            ({"password": "short"}, WeakPassword),
            ({"roles": ["manager"]}, InvalidInput),
            ({"permissions": ["fly"]}, InvalidInput),
            ({"display_name": ""}, InvalidInput),
            ({"display_name": "x" * 201}, InvalidInput),
        ],
    )
    async def test_refuses(self, unit: AsyncSession, arguments: dict[str, Any], error: type[Exception]) -> None:
        given = {"email": "maja@example.org", "display_name": "Maja"} | arguments
        with pytest.raises(error):
            await service.create_user(unit, **given)

    async def test_refuses_an_address_that_is_taken(self, unit: AsyncSession) -> None:
        user = await make_user(unit)
        assert user.email is not None
        with pytest.raises(EmailTaken):
            await service.create_user(unit, email=user.email.upper(), display_name="Another")


class TestFindUserByEmail:
    async def test_ignores_case(self, unit: AsyncSession) -> None:
        user = await make_user(unit)
        assert user.email is not None
        assert await service.find_user_by_email(unit, user.email.upper()) is user
        assert await service.find_user_by_email(unit, "nobody@example.org") is None
        assert await service.find_user_by_email(unit, "a\0b") is None


class TestFindIdsByEmail:
    async def test_finds_confirmed_users_who_are_not_deleted(self, unit: AsyncSession) -> None:
        user = await make_user(unit)
        deleted = await make_user(unit, is_active=False, deleted_at=clock.now())
        unconfirmed = await make_user(unit, email_verified_at=None)
        addresses = [each.email.upper() for each in (user, deleted, unconfirmed) if each.email]
        assert await service.find_ids_by_email(unit, addresses) == {user.email: user.id}


class TestGetUser:
    async def test_returns_the_user_or_raises(self, unit: AsyncSession) -> None:
        user = await make_user(unit)
        assert await service.get_user(unit, user.id) is user
        missing = uuid7()
        with pytest.raises(NotFound, match=str(missing)):
            await service.get_user(unit, missing)
