"""The API of the last release and the API of this version on one database, migrated by this version.

The last release runs from its files in the history, in its own processes, with the installed libraries.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import psycopg
import pytest_asyncio

from cli.local import databases
from tests.factories.journeys import Journey, observe_by
from tests.factories.users import PASSWORD
from tests.upgrade.releases import ROOT, running_api, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from tests.upgrade.conftest import Installation


@dataclass(frozen=True)
class Rollout:
    """Both APIs after the migration, and the journeys on the API of the last release before and during it."""

    installation: Installation
    last_release: httpx2.AsyncClient
    this_version: httpx2.AsyncClient
    journeys: list[Journey]

    async def run(self, *clients: httpx2.AsyncClient) -> Journey:
        """A new journey on these APIs."""
        journey = await register(self.installation, *clients)
        await journey.run()
        self.journeys.append(journey)
        return journey


async def register(installation: Installation, *clients: httpx2.AsyncClient) -> Journey:
    """A journey with two new users; one of them gets the permission to create campaigns."""
    emails = [f"{role}-{uuid4().hex[:12]}@example.org" for role in ("manager", "member")]
    for email in emails:
        body = {"email": email, "password": PASSWORD, "display_name": "Person"}
        response = await clients[0].post("/api/v1/auth/register", json=body)
        assert response.status_code == 202, response.text
    with psycopg.connect(installation.admin_url, autocommit=True) as connection:
        connection.execute("UPDATE app.users SET permissions = '{create_campaign}' WHERE email = %s", (emails[0],))
        # instead of the links that are mailed; the schema of a release before 0.2 has no such column
        if (
            connection.execute(
                "SELECT FROM information_schema.columns WHERE table_name = 'users' AND column_name = 'email_verified_at'"
            ).fetchone()
            is not None
        ):
            connection.execute("UPDATE app.users SET email_verified_at = now() WHERE email = ANY (%s)", (emails,))
    return Journey(clients, emails[0], emails[1])


@pytest_asyncio.fixture(scope="module")
async def rollout(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rollout]:
    """Start the last release, migrate while it serves requests, then also start this version."""
    logs = tmp_path_factory.mktemp("logs")
    async with AsyncExitStack() as stack:

        async def start(folder: Path, name: str) -> httpx2.AsyncClient:
            log = logs / f"{name}.log"
            process, url = stack.enter_context(running_api(folder, installation.settings, log))
            client = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=120))
            await until_ready(client, process, log)
            return client

        last_release = await start(installation.folder, "last-release")
        before, during = [await register(installation, last_release) for _ in range(2)]
        await before.run()
        async with asyncio.TaskGroup() as group:
            group.create_task(during.run())
            group.create_task(asyncio.to_thread(databases.migrate, installation.admin_url))
        yield Rollout(installation, last_release, await start(ROOT, "this-version"), [before, during])


class TestTheLastRelease:
    async def test_serves_the_main_commands_on_the_new_schema(self, rollout: Rollout) -> None:
        assert not databases.is_behind(rollout.installation.admin_url)
        assert (await rollout.last_release.get("/health/ready")).status_code == 200
        await rollout.run(rollout.last_release)


class TestThisVersion:
    async def test_serves_the_main_commands_on_a_database_of_the_last_release(self, rollout: Rollout) -> None:
        await rollout.run(rollout.this_version)


class TestBoth:
    async def test_serve_the_same_campaigns_in_turn(self, rollout: Rollout) -> None:
        """The commands of a journey alternate between the two APIs; several journeys run at once."""
        both = rollout.last_release, rollout.this_version
        await asyncio.gather(rollout.run(*both), rollout.run(*both[::-1]), rollout.run(*both))

    async def test_show_the_same(self, rollout: Rollout) -> None:
        await rollout.run(rollout.last_release)
        await rollout.run(rollout.this_version)
        seen = [
            await observe_by(journey, client)
            for journey in rollout.journeys
            for client in (rollout.last_release, rollout.this_version)
        ]
        assert len(seen) >= 8
        assert all(each == seen[0] for each in seen)
