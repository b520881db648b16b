"""Cover pictures of campaigns, and signed links to pictures."""

from __future__ import annotations

import io
import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from PIL import Image
from sqlalchemy import text

from api.attachments import links
from api.attachments.handlers import delete_unused_objects
from api.kernel import clock
from api.kernel.storage import FOLDER, FolderStorage
from tests.attachments import files
from tests.auth.calls import problem
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

COVER = "/campaigns/{id}/cover"
TWO_DAYS_S = 2 * 86_400


@pytest.fixture(autouse=True)
def folder(application: FastAPI, tmp_path: Path) -> Iterator[Path]:
    """The folder of the stored objects, of each test its own."""
    with replaced(application, storage=FolderStorage(tmp_path / FOLDER)):
        yield tmp_path / FOLDER


def objects(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def age(folder: Path) -> None:
    """Make the stored objects two days old."""
    for path in objects(folder):
        os.utime(path, (time.time() - TWO_DAYS_S, time.time() - TWO_DAYS_S))


async def put(world: World, user: User, data: bytes) -> Response:
    return await world.call(user, "PUT", COVER, content=data)


async def covered(world: World, data: bytes | None = None) -> dict[str, Any]:
    response = await put(world, world.manager, data or files.picture())
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def relative(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def cover_events(world: World) -> list[Any]:
    async with parts(world.app).database.session() as session:
        rows = await session.scalars(
            text(
                "SELECT data ->> 'cover_id' FROM app.events WHERE kind = 'campaign_cover_changed' AND campaign_id = :id "
                "ORDER BY xid, id"
            ),
            {"id": world.campaign_id},
        )
        return list(rows)


class TestCover:
    async def test_is_set_replaced_and_removed(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        assert problem(await world.call(world.manager, "GET", COVER)) == (404, "cover-not-found")
        first = await covered(world, files.picture("PNG", (1600, 900)))
        assert (first["media_type"], first["width"], first["height"]) == ("image/png", 1600, 900)
        second = await covered(world, files.picture("JPEG", (40, 30)))
        assert (second["media_type"], second["width"]) == ("image/jpeg", 40)
        assert second["url"] == first["url"], "the address stays the same"
        assert (await world.call(world.members[0], "GET", COVER)).json() == second
        assert (await world.call(world.manager, "DELETE", COVER)).status_code == 204
        assert problem(await world.call(world.manager, "DELETE", COVER)) == (404, "cover-not-found")
        assert await cover_events(world) == [first["id"], second["id"], None]

    async def test_of_a_public_campaign_is_shown_to_everyone_in_three_widths(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        url = relative((await covered(world, files.picture("PNG", (1600, 900))))["url"])
        assert url == f"/api/v1/campaigns/{world.campaign_id}/cover/content"
        for width, shown in (("", 1600), ("?width=1280", 1280), ("?width=320", 320)):
            response = await client.get(url + width)
            assert (response.status_code, response.headers["Content-Type"]) == (200, "image/png")
            assert Image.open(io.BytesIO(response.content)).width == shown
            assert response.headers["Cache-Control"] == "public, max-age=300"
        again = await client.get(url, headers={"If-None-Match": (await client.get(url)).headers["ETag"]})
        assert again.status_code == 304

    async def test_of_a_hidden_campaign_is_shown_by_a_signed_link_for_an_hour(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, visibility="members")
        outsider = (await make_world(application, client)).manager
        url = (await covered(world))["url"]
        plain = urlsplit(url).path
        assert problem(await client.get(plain)) == (404, "campaign-not-found")
        assert problem(await world.call(outsider, "GET", COVER)) == (404, "campaign-not-found")
        assert problem(await world.call(outsider, "GET", f"{COVER}/content")) == (404, "campaign-not-found")
        assert (await world.call(world.members[0], "GET", f"{COVER}/content")).status_code == 200
        shown = await client.get(relative(url))
        assert shown.status_code == 200
        assert shown.headers["Cache-Control"].startswith("private, max-age=")
        with clock.at(clock.now() + timedelta(hours=1)):
            assert (await client.get(relative(url))).status_code == 200
        with clock.at(clock.now() + timedelta(hours=2)):
            assert problem(await client.get(relative(url))) == (404, "campaign-not-found")
        await covered(world)
        assert (await client.get(relative(url))).status_code == 404, "the link is to the picture that was replaced"

    @pytest.mark.parametrize(
        "data",
        [b"The plan.", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b""],
        ids=["text", "pdf", "svg", "empty"],
    )
    async def test_is_a_picture(self, application: FastAPI, client: AsyncClient, folder: Path, data: bytes) -> None:
        world = await make_world(application, client)
        refused = await put(world, world.manager, data)
        assert problem(refused) == (422, "unsupported-file")
        assert objects(folder) == []

    async def test_is_stored_without_metadata(self, application: FastAPI, client: AsyncClient, folder: Path) -> None:
        world = await make_world(application, client)
        await covered(world, files.picture_with_metadata("JPEG"))
        assert not any(files.SECRET in path.read_bytes() for path in objects(folder))

    async def test_is_for_managers_until_the_completion(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        assert problem(await put(world, world.members[0], files.picture())) == (403, "not-a-manager")
        await covered(world)
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/complete")).status_code == 200
        assert problem(await put(world, world.manager, files.picture())) == (409, "campaign-not-active")
        assert problem(await world.call(world.manager, "DELETE", COVER)) == (409, "campaign-not-active")

    async def test_is_copied_with_the_campaign(self, application: FastAPI, client: AsyncClient, folder: Path) -> None:
        world = await make_world(application, client)
        cover = await covered(world)
        made = await world.call(
            world.manager, "POST", "/campaigns", json={"title": "The next year", "copy_of": str(world.campaign_id)}
        )
        copy = World(application, client, UUID(made.json()["id"]), world.manager, [])
        copied = (await copy.call(world.manager, "GET", COVER)).json()
        assert (copied["size_bytes"], copied["media_type"]) == (cover["size_bytes"], cover["media_type"])
        assert copied["id"] != cover["id"]
        await world.call(world.manager, "DELETE", COVER)
        age(folder)
        await delete_unused_objects(parts(application))
        assert (await client.get(relative(copied["url"]))).status_code == 200, "the copy still refers to the object"
        await copy.call(world.manager, "DELETE", COVER)
        await delete_unused_objects(parts(application))
        assert objects(folder) == []

    async def test_is_deleted_with_a_draft(self, application: FastAPI, client: AsyncClient, folder: Path) -> None:
        world = await make_world(application, client)
        made = await world.call(world.manager, "POST", "/campaigns", json={"title": "A draft"})
        draft = World(application, client, UUID(made.json()["id"]), world.manager, [])
        await covered(draft)
        assert (await draft.call(world.manager, "DELETE", "/campaigns/{id}")).status_code == 204
        age(folder)
        await delete_unused_objects(parts(application))
        assert objects(folder) == []


class TestAttachmentLink:
    async def attached(self, world: World, idea: UUID, data: bytes, name: str) -> dict[str, Any]:
        path = f"/ideas/{idea}/attachments"
        response = await world.call(world.members[0], "POST", path, params={"name": name}, content=data)
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()
        return found

    async def test_shows_the_content_without_a_token_for_an_hour(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, is_mediated=True, visibility="members")
        idea = await world.submit(world.members[0])
        added = await self.attached(world, idea, files.picture("PNG", (1600, 900)), "plan.png")
        listed = (await world.call(world.members[0], "GET", f"/ideas/{idea}/attachments")).json()
        url = relative(added["url"])
        assert relative(listed[0]["url"]) == url or int(time.time()) % links.PERIOD_S < 60, "the same within an hour"
        shown = await client.get(url)
        assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/png")
        assert shown.headers["Cache-Control"].startswith("private, max-age=")
        assert "sandbox" in shown.headers["Content-Security-Policy"]
        small = await client.get(f"{url}&width=320")
        assert Image.open(io.BytesIO(small.content)).width == 320
        with clock.at(clock.now() + timedelta(hours=1)):
            assert (await client.get(url)).status_code == 200
        with clock.at(clock.now() + timedelta(hours=2)):
            assert problem(await client.get(url)) == (404, "attachment-not-found")
        await world.call(world.members[0], "DELETE", f"/ideas/{idea}/attachments/{added['id']}")
        assert problem(await client.get(url)) == (404, "attachment-not-found")

    async def test_stores_what_is_no_picture(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        added = await self.attached(world, await world.submit(world.members[0]), b"The plan.", "plan.txt")
        shown = await client.get(relative(added["url"]))
        assert shown.headers["Content-Disposition"].startswith("attachment; ")

    async def test_is_refused_if_it_is_changed(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        one, other = [await self.attached(world, idea, files.picture(), name) for name in ("one.png", "other.png")]
        query = {name: values[0] for name, values in parse_qs(urlsplit(one["url"]).query).items()}
        path, elsewhere = urlsplit(one["url"]).path, urlsplit(other["url"]).path
        unknown = path.replace(one["id"], str(uuid4()))
        changed = [
            (path, {**query, "expires": str(int(query["expires"]) + links.PERIOD_S)}),
            (path, {**query, "signature": query["signature"][:-2] + "aa"}),
            (path, {**query, "signature": "é"}),
            (elsewhere, query),
            (unknown, query),
        ]
        answers = [await client.get(called, params=given) for called, given in changed]
        assert {problem(answer) for answer in answers} == {(404, "attachment-not-found")}
        assert len({answer.json()["detail"] for answer in answers}) == 1
