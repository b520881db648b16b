from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import openpyxl
import pypdf
import pytest
import pytest_asyncio
from fastapi import FastAPI
from httpx2 import AsyncClient

from api.analytics import errors, service
from api.auth import sessions
from api.auth.dependencies import COOKIE
from api.auth.models import User
from api.campaigns import service as campaigns
from api.kernel import clock
from pipelines.reports import Format
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.containers import parts, pool_of, replaced
from tests.factories.marts import write_snapshot
from tests.factories.marts_world import campaign_id, rows
from tests.factories.users import bearer, commit_user


@dataclass(frozen=True)
class World:
    """A committed campaign with its manager and a member."""

    campaign: UUID
    manager: User
    member: User


@pytest_asyncio.fixture(scope="module")
async def world(application: FastAPI) -> World:
    manager = await commit_user(application, permissions=("create_campaign",))
    member = await commit_user(application)
    async with parts(application).database.session() as session:
        campaign = await campaigns.create_campaign(
            session, actor_id=manager.id, title="Report of a campaign", slug=f"report-{uuid4().hex[:8]}", policy=None
        )
        await campaigns.activate_campaign(session, campaign, actor_id=manager.id)
        await campaigns.join_campaign(session, campaign, user_id=member.id)
    return World(campaign.id, manager, member)


@pytest.fixture
def data_dir(application: FastAPI, tmp_path: Path) -> Iterator[Path]:
    """A separate data folder without published data."""
    settings = parts(application).settings.with_(data_dir=tmp_path)
    with replaced(application, settings=settings):
        yield tmp_path


@pytest.fixture(scope="module")
def published(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot in which "greener-offices" has the id of the committed campaign."""
    old, new = campaign_id("greener-offices"), str(world.campaign)

    def moved(row: dict[str, Any]) -> dict[str, Any]:
        return {name: new if value == old else value for name, value in row.items()}

    folder = tmp_path_factory.mktemp("published")
    write_snapshot(folder, changes={table: [moved(row) for row in found] for table, found in rows().items()})
    return folder


@pytest.fixture
def publish(data_dir: Path, published: Path) -> None:
    (data_dir / "exports").symlink_to(published / "exports")


async def ask(client: AsyncClient, application: FastAPI, world: World, user: User, **query: str) -> Any:
    headers = await bearer(application, user)
    return await client.get(f"/api/v1/campaigns/{world.campaign}/report", params=query, headers=headers)


class TestGetCampaignReport:
    @pytest.mark.usefixtures("publish")
    async def test_a_manager_downloads_the_pdf(self, client: AsyncClient, application: FastAPI, world: World) -> None:
        response = await ask(client, application, world, world.manager)
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/pdf"
        assert response.headers["content-disposition"] == (
            'attachment; filename="ideamint-greener-offices-2026-06-30.pdf"'
        )
        assert response.headers["cache-control"] == "private, no-store"
        cover = pypdf.PdfReader(BytesIO(response.content)).pages[0].extract_text()
        assert "Greener offices" in cover
        assert re.search(r"when the data was [\d,]+ \w+ old", cover)

    @pytest.mark.usefixtures("publish")
    @pytest.mark.parametrize("role", ["executive", "system_admin"])
    async def test_executives_and_administrators_download_any(
        self, client: AsyncClient, application: FastAPI, world: World, role: str
    ) -> None:
        user = await commit_user(application, roles=(role,))
        response = await ask(client, application, world, user, format="xlsx")
        assert response.status_code == 200
        assert response.headers["content-disposition"].endswith('.xlsx"')
        assert "ROI" in openpyxl.load_workbook(BytesIO(response.content)).sheetnames

    @pytest.mark.usefixtures("publish")
    async def test_members_and_other_users_are_refused(
        self, client: AsyncClient, application: FastAPI, world: World
    ) -> None:
        outsider = await commit_user(application, permissions=("create_campaign",))
        for user in (world.member, outsider):
            response = await ask(client, application, world, user)
            assert response.status_code == 403
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["type"] == "urn:ideamint:problem:not-a-manager"

    @pytest.mark.usefixtures("publish")
    async def test_a_browser_follows_a_link_with_its_cookie(
        self, client: AsyncClient, application: FastAPI, world: World
    ) -> None:
        executive = await commit_user(application, roles=("executive",))
        for user, status in ((executive, 200), (world.member, 403)):
            async with parts(application).database.session() as session:
                issued = await sessions.start_session(session, parts(application).settings, user.id, kind="browser")
            assert issued is not None
            response = await client.get(
                f"/api/v1/campaigns/{world.campaign}/report", headers={"Cookie": f"{COOKIE}={issued.secret}"}
            )
            assert response.status_code == status

    async def test_an_invalid_cookie_is_refused(self, client: AsyncClient, world: World) -> None:
        response = await client.get(
            f"/api/v1/campaigns/{world.campaign}/report", headers={"Cookie": f"{COOKIE}=nonsense"}
        )
        assert response.status_code == 401

    async def test_anonymous_requests_need_a_log_in(self, client: AsyncClient, world: World) -> None:
        response = await client.get(f"/api/v1/campaigns/{world.campaign}/report")
        assert response.status_code == 401

    @pytest.mark.usefixtures("data_dir")
    async def test_is_unavailable_before_the_first_refresh(
        self, client: AsyncClient, application: FastAPI, world: World
    ) -> None:
        response = await ask(client, application, world, world.manager)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "60"
        assert response.json()["type"] == "urn:ideamint:problem:nothing-published"

    async def test_a_campaign_newer_than_the_snapshot_is_not_published_yet(
        self, client: AsyncClient, application: FastAPI, world: World, data_dir: Path
    ) -> None:
        write_snapshot(data_dir, changes={name: [] for name in rows() if name != "dim_figures"})
        response = await ask(client, application, world, world.manager)
        assert response.status_code == 409
        problem = response.json()
        assert problem["type"] == "urn:ideamint:problem:campaign-not-published"
        assert "next refresh" in problem["detail"]
        assert problem["snapshot"] == "20260630T040000Z"

    @pytest.mark.usefixtures("publish")
    async def test_an_unknown_campaign_is_404(self, client: AsyncClient, application: FastAPI, world: World) -> None:
        headers = await bearer(application, world.manager)
        response = await client.get(f"/api/v1/campaigns/{uuid4()}/report", headers=headers)
        assert response.status_code == 404

    async def test_another_format_is_refused(self, client: AsyncClient, application: FastAPI, world: World) -> None:
        response = await ask(client, application, world, world.manager, format="docx")
        assert response.status_code == 422

    @pytest.mark.usefixtures("publish")
    async def test_a_waiting_report_holds_no_connection(
        self, client: AsyncClient, application: FastAPI, world: World, blocked: Blocked
    ) -> None:
        pool = pool_of(application)
        before = pool.checkedout()
        task = asyncio.create_task(ask(client, application, world, world.manager))
        await asyncio.to_thread(blocked.started.wait, 30)
        assert pool.checkedout() == before
        blocked.go_on.set()
        assert (await task).status_code == 200


@dataclass(frozen=True)
class Blocked:
    """Reports that block at their start until released."""

    started: threading.Event
    go_on: threading.Event


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Blocked]:
    held = Blocked(threading.Event(), threading.Event())
    make: Callable[..., Any] = service._make

    def make_later(*arguments: Any) -> Any:
        held.started.set()
        held.go_on.wait(GIVE_UP_AFTER_S)
        return make(*arguments)

    monkeypatch.setattr(service, "_make", make_later)
    yield held
    held.go_on.set()


class TestMakeReport:
    @pytest.mark.usefixtures("publish")
    async def test_limits_concurrent_and_waiting_reports(self, world: World, data_dir: Path, blocked: Blocked) -> None:
        async def make() -> Any:
            return await service.make_report(data_dir, world.campaign, Format.XLSX, made_at=clock.now())

        tasks = [asyncio.create_task(make()) for _ in range(service.CONCURRENT_MAX + service.WAITING_MAX)]
        while service._slots.statistics().tasks_waiting < service.WAITING_MAX:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        with pytest.raises(errors.ReportsBusy):
            await make()
        blocked.go_on.set()
        made = await asyncio.gather(*tasks)
        assert len({report.data for report in made}) == 1
