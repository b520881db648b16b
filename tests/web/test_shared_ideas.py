"""The page of a link to an idea: what it shows, to whom, and that it discloses nothing to others."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from PIL import Image

from api.ideas.steps import Status
from api.kernel.storage import FOLDER, FolderStorage
from api.sharing.wording import LANGUAGES, STATUSES, WORDS, preferred_language
from tests.attachments.files import picture
from tests.auth.calls import browser_cookie
from tests.factories.campaigns import World, make_world
from tests.factories.containers import replaced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

UNKNOWN = "/i/abcdefghijkm"
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(autouse=True)
def folder(application: FastAPI, tmp_path: Path) -> Iterator[None]:
    """The folder of the stored objects, of each test its own."""
    with replaced(application, storage=FolderStorage(tmp_path / FOLDER)):
        yield


class Head(HTMLParser):
    """The meta data, links and pictures of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.pictures: list[str] = []
        self.scripts = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "meta" and "content" in given:
            self.meta[given.get("property", given.get("name", ""))] = given["content"]
        elif tag == "link":
            self.links[given["rel"]] = given["href"]
        elif tag == "img":
            self.pictures.append(given["src"])
        elif tag == "script":
            self.scripts += 1


async def link_of(world: World, idea: object) -> str:
    response = await world.call(world.manager, "POST", f"/ideas/{idea}/share")
    url: str = response.json()["url"]
    return urlsplit(url).path


async def opened(client: AsyncClient, path: str, user: User | None = None, language: str = "") -> Response:
    headers = {"Accept-Language": language} if language else {}
    if user is not None:
        app = client._transport.app  # type: ignore[attr-defined] # the application of the test
        headers["Cookie"] = f"ideamint_session={await browser_cookie(app, user)}"
    return await client.get(path, headers=headers)


class TestPage:
    async def test_of_a_public_idea_is_for_everyone(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0], "Racks & benches")
        await world.call(world.manager, "PUT", f"/ideas/{idea}/tags", json={"tags": ["roads"]})
        response = await opened(client, await link_of(world, idea))
        assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        head = Head(response.text)
        shared = (await world.call(world.manager, "GET", f"/ideas/{idea}/share")).json()["open_graph"]
        for name in ("title", "description", "url", "site_name", "locale", "type"):
            assert head.meta[f"og:{name}"] == shared[name], name
        assert head.meta["twitter:card"] == "summary"
        assert "og:image" not in head.meta
        assert head.links["canonical"] == shared["url"]
        assert head.links["alternate"].endswith(f"/api/v1/campaigns/{world.campaign_id}/feed.atom")
        for shown in ("Racks &amp; benches", world.members[0].display_name, "roads", "open for coins"):
            assert shown in response.text
        assert "Set-Cookie" not in response.headers, "a page without forms needs no cookie"
        assert "img-src" not in response.headers["Content-Security-Policy"]

    async def test_shows_the_first_picture_or_the_cover(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        path = await link_of(world, idea)
        await world.step(world.manager, idea, "competing")
        assert (await opened(client, f"{path}/picture")).status_code == 404
        cover = picture("JPEG", (50, 20))
        assert (await world.call(world.manager, "PUT", "/campaigns/{id}/cover", content=cover)).is_success

        async def width() -> int:
            page = await opened(client, path)
            assert "img-src 'self'" in page.headers["Content-Security-Policy"]
            head = Head(page.text)
            assert head.meta["twitter:card"] == "summary_large_image"
            assert head.meta["og:image"].endswith(head.pictures[0])
            shown = await opened(client, head.pictures[0])
            assert shown.headers["Cache-Control"] == "public, max-age=300"
            return Image.open(io.BytesIO(shown.content)).width

        assert await width() == 50
        for data, name in ((b"The plan.", "plan.txt"), (picture(), "one.png"), (picture("PNG", (60, 60)), "two.png")):
            added = await world.call(
                world.manager, "POST", f"/ideas/{idea}/attachments", params={"name": name}, content=data
            )
            assert added.is_success
        assert await width() == 40

    @pytest.mark.parametrize("visibility", ["open", "members"])
    async def test_of_an_idea_that_is_not_public_is_like_that_of_no_link(
        self, application: FastAPI, client: AsyncClient, visibility: str
    ) -> None:
        world = await make_world(application, client, is_mediated=visibility == "open", visibility=visibility)
        idea = await world.submit(world.members[0])
        path = await link_of(world, idea)
        outsider = (await make_world(application, client)).manager
        await world.call(world.manager, "PUT", "/campaigns/{id}/cover", content=picture())
        for user in (None, outsider):
            hidden, missing = await opened(client, path, user), await opened(client, UNKNOWN, user)
            assert hidden.status_code == missing.status_code == 404
            assert hidden.text.replace(path.rpartition("/")[2], "TOKEN") == missing.text.replace(
                "abcdefghijkm", "TOKEN"
            )
            assert dict(hidden.headers) | {"x-request-id": ""} == dict(missing.headers) | {"x-request-id": ""}
            assert (await opened(client, f"{path}/picture", user)).status_code == 404
        assert Head(hidden.text).meta["robots"] == "noindex"
        shown = await opened(client, path, world.members[0])
        assert shown.status_code == 200
        head = Head(shown.text)
        assert head.meta["robots"] == "noindex"
        assert not [name for name in head.meta if name.startswith(("og:", "twitter:"))]
        private = await opened(client, head.pictures[0], world.members[0])
        assert private.headers["Cache-Control"] == "private, no-store"

    async def test_leads_back_after_the_log_in(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, visibility="members")
        path = await link_of(world, await world.submit(world.members[0]))
        assert f'href="/login?next={path.replace("/", "%2F")}"' in (await opened(client, path)).text

    async def test_of_a_revoked_link_shows_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        path = await link_of(world, idea)
        assert (await opened(client, path)).status_code == 200
        await world.call(world.manager, "DELETE", f"/ideas/{idea}/share")
        assert (await opened(client, path)).status_code == 404
        assert (await opened(client, path, world.manager)).status_code == 404

    @pytest.mark.parametrize(
        "token", ["x", "abcdefghijk0", "a" * 200, "%22%3E%3Cscript%3E", "%00", "..%2f..%2fetc"],
        ids=["short", "other-letter", "long", "markup", "zero", "path"],
    )  # fmt: skip
    async def test_of_what_is_no_token_shows_nothing(self, client: AsyncClient, token: str) -> None:
        response = await client.get(f"/i/{token}")
        assert response.status_code == 404
        assert "<script" not in response.text

    async def test_shows_hostile_text_as_text(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0], f"Title {HOSTILE}")
        text = f"Look: {HOSTILE} ![x](https://evil.example/x.png) [y](javascript:alert(1)) and more words"
        await world.call(world.members[0], "PATCH", f"/ideas/{idea}", json={"description": text, "tags": [HOSTILE]})
        page = await opened(client, await link_of(world, idea))
        head = Head(page.text)
        assert (head.scripts, head.pictures) == (0, [])
        assert head.meta["og:title"] == f"Title {HOSTILE}"
        assert "script-src" not in page.headers["Content-Security-Policy"]

    @pytest.mark.parametrize(
        ("accepted", "words"), [("pl-PL,pl;q=0.9,en;q=0.8", "zbiera monety"), ("de", "open for coins")]
    )
    async def test_is_in_the_language_of_the_browser(
        self, application: FastAPI, client: AsyncClient, accepted: str, words: str
    ) -> None:
        world = await make_world(application, client)
        path = await link_of(world, await world.submit(world.members[0]))
        page = await opened(client, path, language=accepted)
        assert words in page.text
        assert f'<html lang="{"pl" if "pl" in accepted else "en"}">' in page.text
        closed = await opened(client, UNKNOWN, language=accepted)
        assert WORDS["pl" if "pl" in accepted else "en"]["closed_title"] in closed.text


class TestWording:
    def test_has_every_word_in_every_language(self) -> None:
        assert set(WORDS) == set(STATUSES) == set(LANGUAGES)
        assert all(set(words) == set(WORDS["en"]) for words in WORDS.values())
        assert all(set(words) == set(Status) for words in STATUSES.values())

    @pytest.mark.parametrize(
        ("accepted", "language"),
        [
            ("", "en"), ("pl", "pl"), ("PL-pl", "pl"), ("en;q=0.5, pl;q=0.9", "pl"), ("pl;q=0, en;q=0.1", "en"),
            ("de, pl;q=0.1", "pl"), ("pl;q=x", "en"), ("*", "en"), ("plx", "en"),
        ],
    )  # fmt: skip
    def test_prefers_what_the_browser_prefers(self, accepted: str, language: str) -> None:
        assert preferred_language(accepted) == language
