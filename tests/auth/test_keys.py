"""Signing keys: their creation, encryption, rotation and publication."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import jwt
import pytest
import pytest_asyncio
from sqlalchemy import text

from api.auth import keys
from api.auth.keys import SigningKeys, list_keys, rotate_keys
from api.kernel import clock
from api.kernel.db import Database
from settings import SettingsError
from tests.factories.clocks import Clock
from tests.factories.users import bearer, commit_user
from tests.factories.warehouse import database_of_its_own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from settings import Settings


@pytest_asyncio.fixture
async def without_keys(server: Settings, worker: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A database whose keys only the test changes."""
    with database_of_its_own(server, f"keys_{worker}", tmp_path) as settings:
        database = Database(settings.database)
        yield database
        await database.close()


async def signing_at(found: SigningKeys, at: datetime) -> str:
    with clock.at(at):
        await found.reload()
        return (await found.to_sign())[0]


class TestToSign:
    async def test_concurrent_first_processes_use_one_key(self, without_keys: Database, server: Settings) -> None:
        processes = [SigningKeys(without_keys, server.auth) for _ in range(8)]
        kids = {kid for kid, _ in await asyncio.gather(*(each.to_sign() for each in processes))}
        async with without_keys.session() as session:
            assert [key.kid for key in await list_keys(session)] == list(kids)

    async def test_the_database_has_no_private_key(self, without_keys: Database, server: Settings) -> None:
        _, private = await SigningKeys(without_keys, server.auth).to_sign()
        async with without_keys.session() as session:
            stored = await session.scalar(text("SELECT encrypted_private_key FROM app.signing_keys"))
        assert private.private_bytes_raw() not in stored
        assert len(stored) == 12 + 32 + 16

    async def test_another_secret_is_an_error_that_names_the_setting(
        self, without_keys: Database, server: Settings
    ) -> None:
        await SigningKeys(without_keys, server.auth).to_sign()
        other = server.with_(jwt_secret="another secret of more than 32 characters")
        with pytest.raises(SettingsError, match=r"IDEAMINT_JWT_SECRET is not the secret .* keys rotate --at-once"):
            await SigningKeys(without_keys, other.auth).to_sign()


class TestFind:
    async def test_reads_a_key_that_another_process_has_made(self, without_keys: Database, server: Settings) -> None:
        now = Clock()
        found = SigningKeys(without_keys, server.auth, now)
        await found.to_sign()
        async with without_keys.session() as session:
            added = await rotate_keys(session, server.auth)
        assert await found.find(added.kid) is None, "looked up once a second at most"
        now.now_s += keys.UNKNOWN_KEY_PAUSE_S + 0.01
        assert await found.find(added.kid) is not None


class TestRotateKeys:
    async def test_the_new_key_signs_after_it_was_published(self, without_keys: Database, server: Settings) -> None:
        found = SigningKeys(without_keys, server.auth)
        old, _ = await found.to_sign()
        async with without_keys.session() as session:
            new = (await rotate_keys(session, server.auth)).kid
        now = clock.now()
        assert await signing_at(found, now) == old
        assert [key.kid for key in await found.published()] == [old, new]
        signs_from = now + timedelta(seconds=keys.PUBLISHED_S)
        assert await signing_at(found, signs_from - timedelta(seconds=1)) == old
        assert await signing_at(found, signs_from) == new

    async def test_the_old_key_is_accepted_for_one_token_lifetime(
        self, without_keys: Database, server: Settings
    ) -> None:
        found = SigningKeys(without_keys, server.auth)
        old, _ = await found.to_sign()
        async with without_keys.session() as session:
            await rotate_keys(session, server.auth)
        await found.reload()
        last = clock.now() + timedelta(seconds=keys.PUBLISHED_S + server.auth.access_token_ttl_s)
        with clock.at(last - timedelta(seconds=5)):
            assert found.accepts(old)
        with clock.at(last):
            assert not found.accepts(old)
            assert old not in [key.kid for key in await found.published()]

    async def test_at_once_for_a_stolen_key(self, without_keys: Database, server: Settings) -> None:
        found = SigningKeys(without_keys, server.auth)
        old, _ = await found.to_sign()
        async with without_keys.session() as session:
            new = (await rotate_keys(session, server.auth, at_once=True)).kid
        assert await signing_at(found, clock.now()) == new
        assert not found.accepts(old)

    async def test_twice_in_a_row_signs_with_the_last(self, without_keys: Database, server: Settings) -> None:
        found = SigningKeys(without_keys, server.auth)
        first, _ = await found.to_sign()
        async with without_keys.session() as session:
            await rotate_keys(session, server.auth)
            last = (await rotate_keys(session, server.auth)).kid
        assert await signing_at(found, clock.now()) == first
        assert await signing_at(found, clock.now() + timedelta(seconds=keys.PUBLISHED_S)) == last

    async def test_deletes_keys_that_ended_a_day_ago(self, without_keys: Database, server: Settings) -> None:
        found = SigningKeys(without_keys, server.auth)
        old, _ = await found.to_sign()
        async with without_keys.session() as session:
            await rotate_keys(session, server.auth)
        with clock.at(clock.now() + timedelta(days=3)):
            async with without_keys.session() as session:
                await rotate_keys(session, server.auth)
                assert old not in [key.kid for key in await list_keys(session)]


class TestKeySet:
    async def test_verifies_a_token_for_another_system(self, application: FastAPI, client: AsyncClient) -> None:
        headers = await bearer(application, user := await commit_user(application))
        token = headers["Authorization"].removeprefix("Bearer ")
        response = await client.get("/.well-known/jwks.json")
        assert response.headers["cache-control"] == "public, max-age=150"
        published = jwt.PyJWKSet.from_dict(response.json())
        key = published[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="ideamint-api", issuer="ideamint")
        assert claims["sub"] == str(user.id)
        assert all("d" not in each for each in response.json()["keys"])
