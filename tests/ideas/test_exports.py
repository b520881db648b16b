"""Exports of ideas: files that are sent at once, files that a job writes, and who may read them."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import openpyxl
import pytest
from sqlalchemy import text

from api.ideas.exports import service
from api.ideas.exports.handlers import PREFIX, delete_expired_exports, write_export
from api.ideas.exports.writing import COLUMNS
from api.kernel import clock
from api.kernel.storage import FOLDER, FolderStorage, make_storage
from pipelines.wording import CSV_START
from tests.auth.calls import problem
from tests.factories.campaigns import DESCRIPTION, World, make_world, submit_many
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.containers import parts, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

EXPORT = "/campaigns/{id}/ideas/export"
PAUSE_S = 0.1
TRIES = int(GIVE_UP_AFTER_S / PAUSE_S)
FORMULA = '=HYPERLINK("https://evil.example")'


@pytest.fixture(autouse=True)
def folder(application: FastAPI, tmp_path: Path) -> Iterator[Path]:
    """The folder of the stored files, of each test its own."""
    with replaced(application, storage=FolderStorage(tmp_path / FOLDER)):
        yield tmp_path / FOLDER


async def export(world: World, user: User, **query: Any) -> Response:
    return await world.call(user, "GET", EXPORT, params=query)


def rows_of_csv(response: Response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    content = response.content.decode("utf-8")
    assert content.startswith(CSV_START)
    return list(csv.DictReader(io.StringIO(content.removeprefix(CSV_START), newline="")))


def rows_of_xlsx(response: Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    sheet = openpyxl.load_workbook(io.BytesIO(response.content)).active
    header, *rows = sheet.iter_rows()
    assert all(cell.data_type != "f" for row in rows for cell in row), "no cell is a formula"
    return [dict(zip((cell.value for cell in header), (cell.value for cell in row), strict=True)) for row in rows]


class TestExport:
    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    async def test_has_the_ideas_of_the_list_with_their_columns(
        self, application: FastAPI, client: AsyncClient, kind: str
    ) -> None:
        world = await make_world(application, client)
        author, backer = world.members[:2]
        one = await world.submit(author, "Racks, by the door")
        two = await world.submit(author)
        await world.allocate(backer, one, 30)
        await world.call(world.manager, "PUT", f"/ideas/{one}/tags", json={"tags": ["safe", "roads"]})
        await world.call(world.manager, "GET", f"/ideas/{one}")  # the exact total
        response = await export(world, backer, format=kind)
        rows = rows_of_csv(response) if kind == "csv" else rows_of_xlsx(response)
        assert [row["id"] for row in rows] == [str(two), str(one)], "newest first"
        assert list(rows[0]) == list(COLUMNS)
        shown = rows[1]
        assert (shown["title"], shown["status"], shown["tags"]) == ("Racks, by the door", "competing", "roads, safe")
        assert (shown["author"], shown["description"]) == (author.display_name, DESCRIPTION)
        assert str(shown["my_coins"]) == "30"
        assert "filename*=UTF-8''campaign-" in response.headers["Content-Disposition"]
        assert response.headers["Cache-Control"] == "private, no-store"
        filtered = await export(world, backer, format=kind, q='"racks, by" is:backed')
        assert len(rows_of_csv(filtered) if kind == "csv" else rows_of_xlsx(filtered)) == 1

    async def test_evaluates_no_text(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        for start in "=+-@":
            await world.submit(world.members[0], f"{start}1+1 and more")
        await world.submit(world.members[0], FORMULA)
        titles = [row["title"] for row in rows_of_csv(await export(world, world.manager))]
        assert all(title.startswith("'") for title in titles)
        assert f"'{FORMULA}" in titles
        cells = [row["title"] for row in rows_of_xlsx(await export(world, world.manager, format="xlsx"))]
        assert FORMULA in cells

    async def test_has_what_its_reader_may_see(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        author, other = world.members[:2]
        idea = await world.submit(author)
        draft = await world.call(author, "POST", "/campaigns/{id}/ideas/drafts", json={"title": "A draft of mine"})
        assert [len(rows_of_csv(await export(world, user))) for user in (world.manager, author, other)] == [1, 1, 0]
        await world.step(world.manager, idea, "competing")
        assert len(rows_of_csv(await export(world, other))) == 1
        assert rows_of_csv(await export(world, world.manager, status="draft")) == []
        mine = rows_of_csv(await export(world, author, status="draft"))
        assert [row["id"] for row in mine] == [draft.json()["id"]]
        hidden = await make_world(application, client, visibility="members")
        assert problem(await export(hidden, other)) == (404, "campaign-not-found")

    async def test_records_who_read_it(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await world.submit(world.members[0])
        await export(world, world.manager, status="competing", q="rack")
        async with parts(application).database.session() as session:
            data = await session.scalar(
                text("SELECT data FROM app.events WHERE kind = 'personal_data_read' AND campaign_id = :id"),
                {"id": world.campaign_id},
            )
        assert (data["what"], data["filters"], data["rows"]) == ("ideas", ["status", "text"], 1)

    async def test_refuses_an_unknown_format(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        assert problem(await export(world, world.manager, format="pdf")) == (422, "validation")


class TestLargeExport:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A direct export has two ideas at most, and a job reads two at once."""
        monkeypatch.setattr(service, "DIRECT_MAX", 2)
        monkeypatch.setattr(service, "_AT_ONCE", 2)

    async def requested(self, world: World, user: User, **query: Any) -> tuple[UUID, str]:
        response = await export(world, user, **query)
        assert response.status_code == 202, response.text
        body = response.json()
        assert (body["status"], body["download_path"]) == ("running", None)
        assert response.headers["Location"] == f"/api/v1/campaigns/{world.campaign_id}/ideas/exports/{body['id']}"
        return UUID(body["id"]), response.headers["Location"].removeprefix("/api/v1")

    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    async def test_is_written_by_a_job(self, application: FastAPI, client: AsyncClient, kind: str) -> None:
        world = await make_world(application, client)
        ideas = await submit_many(world, 5)
        export_id, path = await self.requested(world, world.manager, format=kind)
        assert await self.requested(world, world.manager, format=kind) == (export_id, path), "it is still written"
        early = await world.call(world.manager, "GET", f"{path}/content")
        assert problem(early) == (409, "export-not-ready")
        await write_export(parts(application), export_id=export_id)
        await write_export(parts(application), export_id=export_id)
        state = (await world.call(world.manager, "GET", path)).json()
        assert (state["status"], state["ideas"]) == ("ready", 5)
        response = await world.call(world.manager, "GET", state["download_path"])
        rows = rows_of_csv(response) if kind == "csv" else rows_of_xlsx(response)
        assert [row["id"] for row in rows] == [str(idea) for idea in reversed(ideas)]
        assert len(response.content) == state["size_bytes"]
        assert (await self.requested(world, world.manager, format=kind))[0] != export_id, (
            "a finished one is not repeated"
        )

    async def test_is_deferred_once(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await submit_many(world, 3)
        export_id, _ = await self.requested(world, world.manager)
        await self.requested(world, world.manager)
        async with parts(application).database.session() as session:
            jobs = await session.scalar(
                text(
                    "SELECT count(*) FROM jobs.procrastinate_jobs WHERE task_name = 'write_idea_export' AND args @> :ids"
                ),
                {"ids": f'{{"export_id": "{export_id}"}}'},
            )
        assert jobs == 1

    @pytest.mark.usefixtures("running_worker")
    async def test_is_written_by_a_worker(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await submit_many(world, 3)
        with replaced(application, storage=make_storage(parts(application).settings)):  # that of the worker
            _, path = await self.requested(world, world.manager)
            for _ in range(TRIES):
                if (await world.call(world.manager, "GET", path)).json()["status"] == "ready":
                    break
                await asyncio.sleep(PAUSE_S)
            assert len(rows_of_csv(await world.call(world.manager, "GET", f"{path}/content"))) == 3

    async def test_is_for_who_requested_it(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await submit_many(world, 3)
        export_id, path = await self.requested(world, world.members[0])
        await write_export(parts(application), export_id=export_id)
        for called in (path, f"{path}/content"):
            assert problem(await world.call(world.manager, "GET", called)) == (404, "export-not-found")
        assert (await world.call(world.members[0], "GET", f"{path}/content")).status_code == 200

    async def test_is_refused_after_its_owner_has_lost_a_right(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, visibility="members")
        await submit_many(world, 3)
        moderator = world.members[1]
        role = f"/campaigns/{{id}}/members/{moderator.id}/role"
        assert (await world.call(world.manager, "PUT", role, params={"role": "moderator"})).is_success
        export_id, path = await self.requested(world, moderator)
        await write_export(parts(application), export_id=export_id)
        assert (await world.call(moderator, "GET", f"{path}/content")).status_code == 200
        assert (await world.call(world.manager, "PUT", role, params={"role": "member"})).is_success
        assert problem(await world.call(moderator, "GET", f"{path}/content")) == (403, "export-outdated")
        assert (await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/members/{moderator.id}")).is_success
        assert problem(await world.call(moderator, "GET", f"{path}/content")) == (404, "campaign-not-found")

    async def test_expires_and_is_deleted(self, application: FastAPI, client: AsyncClient, folder: Path) -> None:
        world = await make_world(application, client)
        await submit_many(world, 3)
        export_id, path = await self.requested(world, world.manager)
        await write_export(parts(application), export_id=export_id)
        await world.headers(world.manager)
        assert await delete_expired_exports(parts(application)) == 0
        assert len([each for each in (folder / PREFIX).glob("*/*") if each.is_file()]) == 1
        with clock.at(clock.now() + service.KEPT + timedelta(minutes=1)):
            assert await delete_expired_exports(parts(application)) == 1
            assert not [each for each in (folder / PREFIX).glob("*/*") if each.is_file()]
        assert problem(await world.call(world.manager, "GET", path)) == (404, "export-not-found")
        await write_export(parts(application), export_id=export_id)
        await write_export(parts(application), export_id=uuid4())
