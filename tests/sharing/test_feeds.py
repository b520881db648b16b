"""The Atom feed of a campaign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from api.sharing.feeds import ENTRIES_OF_KIND_MAX, Entry, render_feed
from tests.auth.calls import problem
from tests.factories.campaigns import DESCRIPTION, World, make_world, submit_many
from tests.sharing import atom

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def fetch(world: World, **headers: str) -> Response:
    return await world.client.get(f"/api/v1/campaigns/{world.campaign_id}/feed.atom", headers=headers)


async def feed_of(world: World) -> atom.ReadFeed:
    response = await fetch(world)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/atom+xml")
    return atom.read(response.content)


class TestFeed:
    async def test_of_a_new_campaign_is_valid(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, locale="pl")
        found = await feed_of(world)
        assert (found.id, found.title, found.language) == (
            f"urn:uuid:{world.campaign_id}", "A better way to work", "pl",
        )  # fmt: skip
        assert found.self_link.endswith(f"/api/v1/campaigns/{world.campaign_id}/feed.atom")
        assert found.entries == []

    async def test_has_ideas_decisions_and_official_answers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author = world.members[0]
        first = await world.submit(author, "Racks & <b>benches</b>")
        second = await world.submit(author)
        await world.call(world.manager, "PUT", f"/ideas/{first}/tags", json={"tags": ["roads"]})
        link = (await world.call(author, "POST", f"/ideas/{first}/share")).json()["url"]
        written = await world.call(world.manager, "POST", f"/ideas/{second}/comments", json={"text": "We build it."})
        answer = written.json()["id"]
        await world.call(world.manager, "PUT", f"/ideas/{second}/official-answer", json={"comment_id": answer})
        await world.step(world.manager, first, "accepted")
        await world.step(world.manager, first, "stopped", "No money left.")
        entries = {entry.id.removeprefix("urn:uuid:"): entry for entry in (await feed_of(world)).entries}
        assert len(entries) == 4
        idea = entries[str(first)]
        assert (idea.title, idea.author, idea.terms) == ("Racks & <b>benches</b>", author.display_name, ("roads",))
        assert (idea.content, idea.content_type) == (f"<p>{DESCRIPTION}</p>\n", "html")
        assert (idea.link, entries[str(second)].link) == (link, None)
        answered = entries[answer]
        assert (answered.title, answered.content) == (
            "Official answer: Put bicycle racks by the door", "We build it.",
        )  # fmt: skip
        assert answered.author == "A better way to work", "an answer is that of the campaign"
        [decision] = [entry for id_, entry in entries.items() if id_ not in {str(first), str(second), answer}]
        assert (decision.title, decision.content) == (
            "Decision (stopped): Racks & <b>benches</b>", "No money left.",
        )  # fmt: skip

    async def test_has_only_what_is_public(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        author = world.members[0]
        await world.submit(author)
        rejected = await world.submit(author)
        written = await world.call(
            world.manager, "POST", f"/ideas/{rejected}/comments", json={"text": "Not this year."}
        )
        body = {"comment_id": written.json()["id"]}
        await world.call(world.manager, "PUT", f"/ideas/{rejected}/official-answer", json=body)
        await world.step(world.manager, rejected, "rejected", "Built already.")
        await world.call(author, "POST", "/campaigns/{id}/ideas/drafts", json={"title": "A draft"})
        assert (await feed_of(world)).entries == []

    async def test_of_a_hidden_campaign_does_not_exist(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, visibility="members")
        assert problem(await fetch(world)) == (404, "campaign-not-found")
        path = "/campaigns/{id}/feed.atom"
        assert (await world.call(world.members[0], "GET", path)).status_code == 200

    async def test_is_sent_again_only_if_it_has_changed(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await world.submit(world.members[0])
        tag = (await fetch(world)).headers["ETag"]
        same = await fetch(world, **{"If-None-Match": tag})
        assert (same.status_code, same.content) == (304, b"")
        await world.submit(world.members[0])
        assert (await fetch(world, **{"If-None-Match": tag})).status_code == 200

    async def test_has_the_newest_ideas(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await submit_many(world, ENTRIES_OF_KIND_MAX + 2)
        entries = (await feed_of(world)).entries
        assert [entry.id for entry in entries] == [f"urn:uuid:{idea}" for idea in reversed(made[2:])]


class TestRender:
    def render(self, *entries: Entry) -> atom.ReadFeed:
        return atom.read(
            render_feed(
                entries, id=UUID(int=1), title="Campaign", subtitle="News", language="en",
                url="https://example.org/feed", updated_at=MOMENT,
            )
        )  # fmt: skip

    @pytest.mark.parametrize(
        "text",
        ["a & b < c > \"d\" 'e'", "]]> <![CDATA[", "&amp; &#0;", "zażółć 日本 😀", "a\ufffe b\uffff"],
        ids=["marks", "cdata", "entities", "letters", "noncharacters"],
    )
    def test_writes_any_text(self, text: str) -> None:
        entry = Entry(UUID(int=2), text, MOMENT, MOMENT, text, author=text, terms=(text,))
        [read] = self.render(entry).entries
        kept = text.replace("\ufffe", "").replace("\uffff", "")
        assert (read.title, read.content, read.author, read.terms) == (kept, kept, kept, (kept,))

    def test_is_as_new_as_its_newest_entry(self) -> None:
        entries = [Entry(UUID(int=n), "t", MOMENT, MOMENT + timedelta(hours=n), "c") for n in (2, 3, 1)]
        found = self.render(*entries)
        assert found.updated == "2026-03-01T15:00:00Z"
        assert [entry.id[-1] for entry in found.entries] == ["3", "2", "1"]
        assert self.render().updated == "2026-03-01T12:00:00Z"
