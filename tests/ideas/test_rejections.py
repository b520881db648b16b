"""The reasons of rejection of a campaign, and ideas that are submitted again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from api.ideas.reasons import DEFAULTS
from tests.auth.calls import problem
from tests.factories.campaigns import DESCRIPTION, World, make_world

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

REASONS = "/campaigns/{id}/rejection-reasons"


async def reject(world: World, idea: UUID, **body: Any) -> Response:
    body = {"status": "rejected", "reason": "It was built last year.", **body}
    return await world.call(world.manager, "POST", f"/ideas/{idea}/status", json=body)


class TestReasons:
    async def test_are_the_default_ones_until_the_campaign_sets_its_own(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        listed = (await world.call(world.members[0], "GET", REASONS)).json()
        assert [reason["code"] for reason in listed] == [reason.code for reason in DEFAULTS]
        own = [{"code": "other", "label": "Something else"}, {"code": "too_far", "label": "Too far away"}]
        done = await world.call(world.manager, "PUT", REASONS, json={"reasons": own})
        assert (done.status_code, done.json()) == (200, own)
        assert (await world.call(world.members[0], "GET", REASONS)).json() == own
        refused = await world.call(world.members[0], "PUT", REASONS, json={"reasons": own})
        assert problem(refused) == (403, "not-a-manager")

    @pytest.mark.parametrize(
        ("codes", "slug"),
        [
            (["too_far"], "invalid-input"),
            (["other", "too_far", "too_far"], "invalid-input"),
            (["other", "Too far"], "validation"),
            ([], "validation"),
        ],
    )
    async def test_are_refused(self, application: FastAPI, client: AsyncClient, codes: list[str], slug: str) -> None:
        world = await make_world(application, client)
        body = {"reasons": [{"code": code, "label": "A label"} for code in codes]}
        assert problem(await world.call(world.manager, "PUT", REASONS, json=body)) == (422, slug)
        assert len((await world.call(world.manager, "GET", REASONS)).json()) == len(DEFAULTS)


class TestRejection:
    async def test_has_a_code_of_the_campaign_and_a_text(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        unknown = await reject(world, idea, reason_code="too_far")
        assert (problem(unknown), unknown.json()["codes"]) == (
            (422, "unknown-reason-code"), [reason.code for reason in DEFAULTS],
        )  # fmt: skip
        assert problem(await reject(world, idea, reason_code="duplicate", reason=None)) == (422, "reason-missing")
        rejected = (await reject(world, idea, reason_code="already_exists")).json()
        assert (rejected["reason_code"], rejected["reason"]) == ("already_exists", "It was built last year.")
        history = (await world.call(world.members[0], "GET", f"/ideas/{idea}/history")).json()["items"]
        assert [step["reason_code"] for step in history] == ["already_exists", None]

    async def test_without_a_code_has_the_code_other(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        assert (await reject(world, idea)).json()["reason_code"] == "other"

    async def test_only_a_rejection_has_a_code(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        refused = await reject(world, idea, status="accepted", reason_code="duplicate")
        assert problem(refused) == (422, "unknown-reason-code")

    async def test_keeps_the_code_when_the_list_changes(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await reject(world, idea, reason_code="duplicate")
        body = {"reasons": [{"code": "other", "label": "Something else"}]}
        await world.call(world.manager, "PUT", REASONS, json=body)
        assert (await world.call(world.members[0], "GET", f"/ideas/{idea}")).json()["reason_code"] == "duplicate"


class TestResubmission:
    @pytest.mark.parametrize("status", ["rejected", "withdrawn"])
    async def test_is_a_new_draft_that_is_linked_both_ways(
        self, application: FastAPI, client: AsyncClient, status: str
    ) -> None:
        world = await make_world(application, client)
        author, other = world.members[0], world.members[1]
        body = {"title": "Racks by the door", "description": DESCRIPTION, "tags": ["a"], "category": "Building"}
        idea = (await world.call(author, "POST", "/campaigns/{id}/ideas", json=body)).json()["id"]
        await world.step(author if status == "withdrawn" else world.manager, idea, status, "As decided")
        made = await world.call(author, "POST", f"/ideas/{idea}/resubmit")
        draft = made.json()
        assert (made.status_code, draft["status"], draft["resubmitted_from_id"]) == (201, "draft", idea)
        assert {name: draft[name] for name in ("title", "description", "tags")} == {
            "title": body["title"], "description": DESCRIPTION, "tags": ["a"],
        }  # fmt: skip
        assert draft["category"] == ["Building"]

        async def later(user: Any) -> str | None:
            found: str | None = (await world.call(user, "GET", f"/ideas/{idea}")).json()["resubmitted_as_id"]
            return found

        assert (await later(author), await later(world.manager)) == (draft["id"], None), "a draft is hidden"
        submitted = await world.step(author, draft["id"], "competing")
        assert submitted.status_code == 200
        assert (await later(author), await later(world.manager)) == (draft["id"], draft["id"])
        read = (await world.call(other, "GET", f"/ideas/{draft['id']}")).json()
        assert read["resubmitted_from_id"] is None, "the reader may not see the earlier idea"
        assert (await world.call(world.manager, "GET", f"/ideas/{draft['id']}")).json()["resubmitted_from_id"] == idea

    async def test_happens_once(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author, idea = world.members[0], await world.submit(world.members[0])
        early = await world.call(author, "POST", f"/ideas/{idea}/resubmit")
        assert problem(early) == (409, "not-resubmittable")
        await reject(world, idea)
        made = await asyncio.gather(*(world.call(author, "POST", f"/ideas/{idea}/resubmit") for _ in range(4)))
        assert sorted(each.status_code for each in made) == [201, 409, 409, 409]
        (draft,) = [each.json()["id"] for each in made if each.is_success]
        assert (await world.call(author, "DELETE", f"/ideas/{draft}")).status_code == 204
        assert (await world.call(author, "POST", f"/ideas/{idea}/resubmit")).status_code == 201

    async def test_is_for_the_author_while_a_member(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author, idea = world.members[0], await world.submit(world.members[0])
        await reject(world, idea)
        assert problem(await world.call(world.manager, "POST", f"/ideas/{idea}/resubmit")) == (403, "not-the-author")
        await world.call(author, "POST", "/campaigns/{id}/leave")
        assert problem(await world.call(author, "POST", f"/ideas/{idea}/resubmit")) == (403, "not-the-author")

    async def test_leaves_out_tags_that_no_longer_exist(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author = world.members[0]
        body = {"title": "Racks by the door", "description": DESCRIPTION, "tags": ["a", "b"]}
        idea = (await world.call(author, "POST", "/campaigns/{id}/ideas", json=body)).json()["id"]
        await reject(world, idea)
        await world.call(world.manager, "POST", "/campaigns/{id}/tags", json={"name": "A"})
        made = await world.call(author, "POST", f"/ideas/{idea}/resubmit")
        assert (made.status_code, made.json()["tags"]) == (201, ["A"])
