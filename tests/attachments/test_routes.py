"""Uploads, downloads and deletion of attachments, and the job that deletes unused objects."""

from __future__ import annotations

import asyncio
import io
import os
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from PIL import Image
from sqlalchemy import text

from api.attachments import service
from api.attachments.container import AttachmentsContainer
from api.attachments.examination import Examination
from api.attachments.handlers import delete_unused_objects
from api.kernel.s3_storage import S3Storage
from api.kernel.storage import FOLDER, FolderStorage, new_key
from tests.attachments import files
from tests.factories import s3_servers
from tests.factories.campaigns import World, event_kinds, make_world
from tests.factories.containers import parts, pool_of, replaced
from tests.factories.s3_servers import S3Server
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User
    from api.kernel.storage import StoragePort

TWO_DAYS_S = 2 * 86_400


@pytest.fixture(autouse=True)
def folder(application: FastAPI, tmp_path: Path) -> Iterator[Path]:
    """The folder of the stored objects, of each test its own."""
    with replaced(application, storage=FolderStorage(tmp_path / FOLDER)):
        yield tmp_path / FOLDER


async def pending(application: FastAPI, client: AsyncClient) -> tuple[World, UUID, User]:
    """A mediated campaign with a pending idea, and its author."""
    world = await make_world(application, client, is_mediated=True)
    return world, await world.submit(world.members[0]), world.members[0]


async def upload(world: World, user: User, idea: UUID, data: bytes, name: str = "plan.png", **more: Any) -> Response:
    return await world.call(user, "POST", f"/ideas/{idea}/attachments", params={"name": name}, content=data, **more)


async def attached(world: World, user: User, idea: UUID, data: bytes, name: str = "plan.png") -> dict[str, Any]:
    response = await upload(world, user, idea, data, name)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def listed(world: World, user: User, idea: UUID) -> list[dict[str, Any]]:
    response = await world.call(user, "GET", f"/ideas/{idea}/attachments")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()
    return found


def outcome(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("urn:ideamint:problem:")


def in_the_way(folder: Path) -> Path:
    """A file where a folder is expected."""
    path = folder.with_name("file")
    path.write_text("in the way")
    return path


def objects(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class TestAdd:
    async def test_a_picture_is_converted_and_shown_inline(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea, author = await pending(application, client)
        data = files.picture("JPEG", (1600, 1200), comment=files.SECRET)
        made = await attached(world, author, idea, data, "Mój plan.jpeg")
        assert (made["name"], made["media_type"], made["width"], made["height"]) == (
            "Mój plan.jpg", "image/jpeg", 1600, 1200,
        )  # fmt: skip
        assert made["uploaded_by_name"] == author.display_name
        assert await listed(world, author, idea) == [made]
        for width, size in ((None, (1600, 1200)), ("1280", (1280, 960)), ("320", (320, 240))):
            found = await world.call(author, "GET", made["path"], params={"width": width} if width else {})
            assert found.status_code == 200
            assert Image.open(io.BytesIO(found.content)).size == size
            assert files.SECRET not in found.content
            assert found.headers["content-type"] == "image/jpeg"
            assert found.headers["content-disposition"] == "inline; filename*=UTF-8''M%C3%B3j%20plan.jpg"
            assert found.headers["x-content-type-options"] == "nosniff"
            assert found.headers["content-security-policy"].startswith("sandbox;")
        again = await world.call(author, "GET", made["path"], headers={"If-None-Match": found.headers["etag"]})
        assert again.status_code == 200  # the tag of a smaller size is not that of the picture
        kept = await world.call(author, "GET", made["path"], headers={"If-None-Match": again.headers["etag"]})
        assert kept.status_code == 304
        assert await event_kinds(application, idea) == ["idea_submitted", "attachment_added"]

    @pytest.mark.parametrize(
        ("data", "name", "media_type"),
        [
            (files.PDF, "plan.html", "application/pdf"), (b"a;b\n1;2\n", "costs.csv", "text/csv"),
            (b"notes\n" * 1000, "notes.txt", "text/plain"),
            (files.ODT, "plan.odt", "application/vnd.oasis.opendocument.text"),
        ],
    )  # fmt: skip
    async def test_another_file_is_only_offered_for_storing(
        self, application: FastAPI, client: AsyncClient, data: bytes, name: str, media_type: str
    ) -> None:
        world, idea, author = await pending(application, client)
        made = await attached(world, author, idea, data, name)
        for width in ({}, {"width": "320"}):
            found = await world.call(author, "GET", made["path"], params=width)
            assert (found.content, found.headers["content-type"]) == (data, media_type)
            assert found.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
            assert found.headers["content-security-policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
            assert found.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize(
        ("data", "name", "slug"),
        [
            (b"", "a.png", "unsupported-file"), (files.SVG, "a.svg", "unsupported-file"),
            (files.HTML, "a.txt", "unsupported-file"), (files.SVG, "a.png", "unsupported-file"),
            (b"MZ" + bytes(99), "a.pdf", "unsupported-file"), (files.picture()[:60], "a.png", "unreadable-picture"),
            (files.huge_png(10_000, 10_000), "a.png", "picture-too-large"),
            (files.text_bomb_png(), "a.png", "unreadable-picture"),
        ],
    )  # fmt: skip
    async def test_hostile_files_are_refused_and_leave_nothing(
        self, application: FastAPI, client: AsyncClient, folder: Path, data: bytes, name: str, slug: str
    ) -> None:
        world, idea, author = await pending(application, client)
        refused = await upload(world, author, idea, data, name)
        assert outcome(refused) == (422, slug)
        assert await listed(world, author, idea) == []
        assert objects(folder) == []

    async def test_the_length_has_a_limit_of_its_own(self, application: FastAPI, client: AsyncClient) -> None:
        """More than the 1 MiB of other requests, and at most the 10 MiB of the setting."""
        world, idea, author = await pending(application, client)
        line = b"x" * 1023 + b"\n"
        whole = await attached(world, author, idea, line * 10 * 1024, "a.txt")
        assert whole["size_bytes"] == 10 * 2**20
        assert outcome(await upload(world, author, idea, line * 10 * 1024 + b"x", "a.txt")) == (
            413,
            "request-entity-too-large",
        )
        other = await world.call(author, "PATCH", f"/ideas/{idea}", content=b"x" * (2**20 + 1))
        assert other.status_code in {413, 415}

    async def test_an_idea_has_at_most_ten(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea, author = await pending(application, client)
        for number in range(10):
            made = await attached(world, author, idea, b"x", f"{number}.txt")
        refused = await upload(world, author, idea, b"x", "more.txt")
        assert outcome(refused) == (409, "too-many-attachments")
        assert (await world.call(author, "DELETE", f"/ideas/{idea}/attachments/{made['id']}")).status_code == 204
        await attached(world, author, idea, b"x", "more.txt")

    async def test_uploads_at_once_do_not_exceed_the_limit(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea, author = await pending(application, client)
        for number in range(8):
            await attached(world, author, idea, b"x", f"{number}.txt")
        made = await asyncio.gather(*(upload(world, author, idea, b"x", f"more-{n}.txt") for n in range(5)))
        assert sorted(response.status_code for response in made) == [201, 201, 409, 409, 409]
        assert len(await listed(world, author, idea)) == 10

    async def test_the_total_length_is_limited(
        self, application: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "TOTAL_BYTES_MAX", 100)
        world, idea, author = await pending(application, client)
        await attached(world, author, idea, b"x" * 60, "a.txt")
        assert outcome(await upload(world, author, idea, b"x" * 41, "b.txt")) == (409, "too-many-attachments")
        await attached(world, author, idea, b"x" * 40, "b.txt")

    async def test_is_for_the_author_while_the_text_can_be_edited_and_for_managers(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, idea, author = await pending(application, client)
        kept = await attached(world, author, idea, files.picture())
        assert outcome(await upload(world, world.members[1], idea, files.picture())) == (404, "idea-not-found")
        for status in ("competing", "accepted"):
            await attached(world, author, idea, files.picture())
            await world.step(world.manager, idea, status)
        assert outcome(await upload(world, author, idea, files.picture())) == (409, "idea-fixed")
        assert outcome(await upload(world, world.members[1], idea, files.picture())) == (403, "step-not-allowed")
        path = f"/ideas/{idea}/attachments/{kept['id']}"
        assert outcome(await world.call(author, "DELETE", path)) == (409, "idea-fixed")
        assert outcome(await world.call(world.members[1], "DELETE", path)) == (403, "step-not-allowed")
        await attached(world, world.manager, idea, files.picture())
        assert (await world.call(world.manager, "DELETE", path)).status_code == 204

    async def test_the_same_key_attaches_once(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea, author = await pending(application, client)
        key = uuid4().hex
        made = [await upload(world, author, idea, files.picture(), key=key) for _ in range(2)]
        assert [response.status_code for response in made] == [201, 201]
        assert made[0].json() == made[1].json()
        both = await asyncio.gather(
            *(upload(world, author, idea, files.picture(), key="another", name="b.png") for _ in range(2))
        )
        assert [response.status_code for response in both] == [201, 201]
        assert len(await listed(world, author, idea)) == 2

    async def test_an_examination_holds_no_connection(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea, author = await pending(application, client)
        held: list[int] = []

        class Watching(Examination):
            def _examine(self, data: bytes, name: str) -> Any:
                held.append(pool_of(application).checkedout())
                return super()._examine(data, name)

        with replaced(application, examination=Watching(parts(application).settings.storage)):
            before = pool_of(application).checkedout()
            await attached(world, author, idea, files.picture())
        assert held == [before]

    async def test_too_many_at_once_are_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea, author = await pending(application, client)
        examination = Examination(parts(application).settings.storage)
        examination._bulkhead._waiting_max = 0
        with replaced(application, examination=examination):
            async with examination._bulkhead.slot(), examination._bulkhead.slot():
                busy = await upload(world, author, idea, files.picture())
            assert (outcome(busy), busy.headers["retry-after"]) == ((503, "uploads-busy"), "5")
            await attached(world, author, idea, files.picture())


class TestRead:
    async def test_follows_the_visibility_of_the_idea(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea, author = await pending(application, client)
        made = await attached(world, author, idea, files.picture())
        stranger = await commit_user(application)
        for user in (world.members[1], stranger):
            assert outcome(await world.call(user, "GET", made["path"])) == (404, "idea-not-found")
            assert outcome(await world.call(user, "GET", f"/ideas/{idea}/attachments")) == (404, "idea-not-found")
        await world.step(world.manager, idea, "competing")
        for user in (world.members[1], stranger):
            assert (await world.call(user, "GET", made["path"])).status_code == 200
        other = await world.submit(author)
        elsewhere = await world.call(world.manager, "GET", made["path"].replace(str(idea), str(other)))
        assert outcome(elsewhere) == (404, "attachment-not-found")

    async def test_a_store_that_does_not_work_is_reported(
        self, application: FastAPI, client: AsyncClient, folder: Path
    ) -> None:
        world, idea, author = await pending(application, client)
        made = await attached(world, author, idea, files.PDF, "a.pdf")
        for path in objects(folder):
            path.unlink()
        assert outcome(await world.call(author, "GET", made["path"])) == (503, "storage-unavailable")
        with replaced(application, storage=FolderStorage(in_the_way(folder))):
            assert outcome(await upload(world, author, idea, files.PDF, "b.pdf")) == (503, "storage-unavailable")
        assert len(await listed(world, author, idea)) == 1


class TestDelete:
    async def test_removes_the_row_at_once_and_the_objects_by_the_job(
        self, application: FastAPI, client: AsyncClient, folder: Path
    ) -> None:
        world, idea, author = await pending(application, client)
        gone = await attached(world, author, idea, files.picture("PNG", (1600, 20)))
        kept = await attached(world, author, idea, files.PDF, "a.pdf")
        assert len(objects(folder)) == 4
        path = f"/ideas/{idea}/attachments/{gone['id']}"
        assert (await world.call(author, "DELETE", path)).status_code == 204
        assert outcome(await world.call(author, "DELETE", path)) == (404, "attachment-not-found")
        assert outcome(await world.call(author, "GET", gone["path"])) == (404, "attachment-not-found")
        assert await delete_unused_objects(parts(application)) == 0  # they are new
        old = time.time() - TWO_DAYS_S
        for stored in objects(folder):
            os.utime(stored, (old, old))
        assert await delete_unused_objects(parts(application)) == 3
        assert await delete_unused_objects(parts(application)) == 0
        assert (await world.call(author, "GET", kept["path"])).content == files.PDF
        assert (await event_kinds(application, idea))[1:] == [
            "attachment_added", "attachment_added", "attachment_deleted",
        ]  # fmt: skip

    async def test_the_job_deletes_what_an_upload_without_a_row_has_left(
        self, application: FastAPI, client: AsyncClient, folder: Path
    ) -> None:
        """The upload is refused after its objects were stored."""
        world, idea, author = await pending(application, client)
        for number in range(9):
            await attached(world, author, idea, b"x", f"{number}.txt")
        made = await asyncio.gather(*(upload(world, author, idea, b"x", f"more-{n}.txt") for n in range(3)))
        assert sorted(response.status_code for response in made) == [201, 409, 409]
        left = len(objects(folder)) - 10
        old = time.time() - TWO_DAYS_S
        for stored in objects(folder):
            os.utime(stored, (old, old))
        assert await delete_unused_objects(parts(application)) == left
        assert len(objects(folder)) == 10


@pytest.mark.skipif(not s3_servers.is_possible(), reason="the S3 server is built with Go")
async def test_attachments_in_a_bucket(application: FastAPI, client: AsyncClient, tmp_path: Path) -> None:
    """The whole way with an S3 server: upload, download, deletion, and the job."""
    server = S3Server(tmp_path / "s3")
    server.start()
    storage: StoragePort = S3Storage(server.settings(parts(application).settings).storage)
    with replaced(application, storage=storage):
        world, idea, author = await pending(application, client)
        made = await attached(world, author, idea, files.picture("WEBP", (400, 300)), "plan.webp")
        small = await world.call(author, "GET", made["path"], params={"width": "320"})
        assert Image.open(io.BytesIO(small.content)).size == (320, 240)
        unused = new_key(service.PREFIX)
        await storage.put(unused, b"x")
        async with parts(application).database.session() as session:
            statement = text("SELECT key FROM app.attachment_objects WHERE attachment_id = :id")
            keys = list(await session.scalars(statement, {"id": UUID(made["id"])}))
        for key in (*keys, unused):
            server.set_age(key, TWO_DAYS_S)
        assert await delete_unused_objects(parts(application)) == 1
        assert (await world.call(author, "GET", made["path"])).status_code == 200
        server.stop()
        assert outcome(await world.call(author, "GET", made["path"])) == (503, "storage-unavailable")


def test_the_container_has_the_store(application: FastAPI) -> None:
    assert isinstance(parts(application), AttachmentsContainer)
