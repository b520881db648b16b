"""Merges of ideas through the routes: the preview, the merge, its addresses, and its undo."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import text

from tests.auth.calls import problem
from tests.factories.campaigns import World, event_kinds, make_world
from tests.factories.containers import parts
from tests.factories.ledgers import end_graces

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

REASON = "The same proposal twice."
_STATE = text(
    """
    SELECT jsonb_build_object(
        'ideas', (SELECT jsonb_object_agg(i.id, jsonb_build_array(
            i.status, i.reason, i.reason_code, i.status_changed_at, i.merged_into_id, i.title, i.changes_requested_at))
            FROM app.ideas AS i WHERE i.campaign_id = :id),
        'balances', (SELECT jsonb_object_agg(a.id, a.balance_coins) FROM app.coin_accounts AS a
            WHERE a.campaign_id = :id AND a.balance_coins > 0),
        'open', (SELECT jsonb_object_agg(t.idea_id, t.is_open) FROM app.coin_targets AS t WHERE t.campaign_id = :id),
        'followers', (SELECT jsonb_agg(jsonb_build_array(f.idea_id, f.user_id, f.followed_at) ORDER BY f.idea_id, f.user_id)
            FROM app.idea_followers AS f JOIN app.ideas AS i ON i.id = f.idea_id WHERE i.campaign_id = :id),
        'comments', (SELECT jsonb_agg(jsonb_build_array(c.id, c.idea_id, c.text) ORDER BY c.id)
            FROM app.comments AS c WHERE c.campaign_id = :id))
    """
)


async def state(world: World) -> dict[str, Any]:
    """What a merge changes and its undo restores."""
    async with parts(world.app).database.session() as session:
        found: dict[str, Any] = await session.scalar(_STATE, {"id": world.campaign_id})
    return found


async def merge(world: World, target: UUID, *sources: UUID, who: User | None = None, **query: Any) -> Response:
    body = {"idea_ids": [str(source) for source in sources], "reason": REASON}
    return await world.call(who or world.manager, "POST", f"/ideas/{target}/merge", json=body, params=query)


async def undo(world: World, target: UUID, who: User | None = None, **query: Any) -> Response:
    body = {"reason": "By mistake."}
    return await world.call(who or world.manager, "POST", f"/ideas/{target}/merge/undo", json=body, params=query)


async def read(world: World, idea: UUID, who: User | None = None) -> dict[str, Any]:
    response = await world.call(who or world.members[2], "GET", f"/ideas/{idea}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def three_backed(application: FastAPI, client: AsyncClient, **policy: Any) -> tuple[World, list[UUID]]:
    """Three ideas of member 0; member 1 has 30, 20 and 7 coins on them, member 2 has 5 on the second."""
    world = await make_world(application, client, members=4, policy=policy)
    ideas = [await world.submit(world.members[0], f"Bicycle racks number {nth}") for nth in range(3)]
    for member, idea, coins in ((1, 0, 30), (1, 1, 20), (1, 2, 7), (2, 1, 5)):
        assert (await world.allocate(world.members[member], ideas[idea], coins)).status_code == 201
    return world, ideas


class TestMerge:
    async def test_moves_coins_and_the_preview_says_so_before(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, *sources] = await three_backed(
            application, client, coins_per_member_and_idea_max=40, stakes_visible_to="managers"
        )
        before = await state(world)
        preview = await merge(world, target, *sources, dry_run=True)
        assert preview.status_code == 200, preview.text
        assert await state(world) == before
        done = await merge(world, target, *sources)
        assert done.status_code == 200, done.text
        varying = {"id", "merged_at"}
        assert {k: v for k, v in done.json().items() if k not in varying} == {
            k: v for k, v in preview.json().items() if k not in varying
        }
        found = done.json()
        assert (found["moved_coins"], found["returned_coins"], found["backers"]) == (15, 17, 2)
        assert (found["members_on_several"], found["members_with_returns"]) == (1, 1)
        assert found["idea_max_coins"] == 40
        member, other = found["members"]
        assert member["user_id"] == str(world.members[1].id)
        assert {stake["idea_id"]: stake["coins"] for stake in member["stakes"]} == {
            str(target): 30, str(sources[0]): 20, str(sources[1]): 7,
        }  # fmt: skip
        assert (member["kept_coins"], member["returned_coins"], other["kept_coins"]) == (40, 17, 5)
        shown = await read(world, target)
        assert (shown["coins"], shown["backers"], shown["merged_ids"]) == (45, 2, [str(each) for each in sources])
        assert (await world.balance(world.members[1]))["wallet_coins"] == 60

    async def test_persons_are_shown_only_as_the_policy_says(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, *sources] = await three_backed(application, client)
        found = (await merge(world, target, *sources)).json()
        assert found["members"] is None
        assert [source["stake_coins"] for source in found["sources"]] == [25, 7]
        for member in world.members:
            assert str(member.id) not in str(found)

    async def test_a_merged_idea_stays_readable_and_leads_to_the_target(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, [target, source, other] = await three_backed(application, client)
        comment = await world.call(world.members[1], "POST", f"/ideas/{source}/comments", json={"text": "Where?"})
        assert comment.is_success, comment.text
        shared = await world.call(world.members[1], "POST", f"/ideas/{source}/share")
        await merge(world, target, source)
        shown = await read(world, source, world.members[3])
        assert (shown["status"], shown["merged_into_id"], shown["reason"]) == ("merged", str(target), REASON)
        assert (shown["coins"], shown["my_stake_coins"], shown["next_statuses"]) == (0, 0, [])
        comments = (await world.call(world.members[3], "GET", f"/ideas/{source}/comments")).json()["items"]
        assert [each["text"] for each in comments] == ["Where?"]
        listed = (await world.call(world.members[3], "GET", "/campaigns/{id}/ideas")).json()["items"]
        assert {idea["id"] for idea in listed} == {str(target), str(other)}
        assert (await world.call(world.members[3], "GET", f"/ideas/{source}/share")).status_code == 200
        page = f"/i/{shared.json()['url'].rpartition('/')[2]}"
        assert "Bicycle racks number 0" in (await client.get(page)).text
        new = await world.call(world.members[1], "POST", f"/ideas/{target}/share")
        led = await client.get(page)
        assert (led.status_code, led.headers["Location"].rpartition("/")[2]) == (
            302, new.json()["url"].rpartition("/")[2],
        )  # fmt: skip

    async def test_followers_follow_the_target(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, source, _] = await three_backed(application, client)
        for member, idea in ((1, source), (2, source), (2, target)):
            assert (await world.call(world.members[member], "PUT", f"/ideas/{idea}/following")).is_success
        before = await state(world)
        await merge(world, target, source)
        following = (await world.call(world.members[1], "GET", f"/ideas/{target}/following")).json()
        assert (following["followers"], following["i_follow"]) == (2, True)
        assert (await undo(world, target)).is_success
        assert await state(world) == before

    async def test_returned_coins_are_in_the_statement_of_the_member(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, [target, source, _] = await three_backed(application, client, coins_per_member_and_idea_max=40)
        await merge(world, target, source)
        path = "/campaigns/{id}/coins/history"
        lines = (await world.call(world.members[1], "GET", path, params={"kind": "merge"})).json()["items"]
        assert {(line["from_idea_id"], line["to_idea_id"], line["coins"], line["reason"]) for line in lines} == {
            (str(source), str(target), 10, REASON), (str(source), None, 10, REASON),
        }  # fmt: skip

    async def test_own_coins_of_the_author_return(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, source, _] = await three_backed(application, client)
        theirs = await world.submit(world.members[3])
        await world.allocate(world.members[0], theirs, 9)
        found = (await merge(world, target, theirs)).json()
        assert (found["moved_coins"], found["returned_coins"]) == (0, 9)
        assert (await world.balance(world.members[0]))["wallet_coins"] == 100
        assert (await read(world, source))["coins"] == 25

    async def test_no_coins_are_put_on_a_merged_idea(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, source, _] = await three_backed(application, client)
        await merge(world, target, source)
        refused = await world.allocate(world.members[1], source, 1)
        assert problem(refused) == (409, "idea-not-open")

    async def test_what_is_not_merged(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, source, other] = await three_backed(application, client)
        assert problem(await merge(world, target, target)) == (409, "not-mergeable")
        assert problem(await merge(world, target, uuid4())) == (404, "idea-not-found")
        assert (await merge(world, target, source, source)).status_code == 422
        assert (await merge(world, target, source, who=world.members[0])).status_code == 403
        assert (await merge(world, target, source)).is_success
        before = await state(world)
        for into, ideas in ((source, [target]), (other, [source]), (target, [source])):
            refused = await merge(world, into, *ideas)
            assert problem(refused) == (409, "not-mergeable")
            assert refused.json()["statuses"] == {str(source): "merged"}
        assert (await world.step(world.manager, other, "accepted")).is_success
        assert problem(await merge(world, target, other)) == (409, "not-mergeable")
        assert problem(await world.step(world.manager, source, "competing", REASON)) == (409, "illegal-step")
        assert (await state(world))["ideas"][str(source)] == before["ideas"][str(source)]

    async def test_waits_for_a_grace_time(self, application: FastAPI, client: AsyncClient, admin_url: str) -> None:
        world, [target, source, _] = await three_backed(application, client)
        larger = {"title": "Twice as many racks", "reason": "It costs more.", "is_material": True}
        assert (await world.call(world.manager, "PATCH", f"/ideas/{source}", json=larger)).is_success
        assert problem(await merge(world, target, source)) == (409, "grace-running")
        await end_graces(admin_url, source)
        assert (await merge(world, target, source)).is_success

    async def test_pending_ideas_are_merged_without_coins(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=4, is_mediated=True)
        pending = [await world.submit(world.members[0], f"Waiting idea {nth}") for nth in range(3)]
        approved = await world.submit(world.members[1], "An approved idea")
        assert (await world.step(world.manager, approved, "competing")).is_success
        refused = await merge(world, pending[0], approved)
        assert problem(refused) == (409, "not-mergeable")
        before = await state(world)
        assert (await merge(world, pending[0], pending[1])).is_success
        assert (await merge(world, approved, pending[2], pending[0])).is_success
        for hidden in pending:  # the text was never approved
            assert (await world.call(world.members[2], "GET", f"/ideas/{hidden}")).status_code == 404
        assert (await read(world, approved))["merged_ids"] == []
        assert len((await read(world, approved, world.manager))["merged_ids"]) == 2
        assert (await undo(world, approved)).is_success
        assert (await undo(world, pending[0])).is_success
        assert await state(world) == before

    async def test_a_link_to_a_merged_idea_of_a_hidden_campaign_discloses_nothing(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, [target, source, _] = await three_backed(application, client)
        pages = []
        for idea in (source, target):
            shared = await world.call(world.members[1], "POST", f"/ideas/{idea}/share")
            pages.append(f"/i/{shared.json()['url'].rpartition('/')[2]}")
        await merge(world, target, source)
        assert (await client.get(pages[0])).status_code == 302
        hidden = await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"visibility": "members"})
        assert hidden.is_success, hidden.text
        assert [(await client.get(page)).status_code for page in pages] == [404, 404]


class TestUndo:
    async def test_restores_everything(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, *sources] = await three_backed(application, client, coins_per_member_and_idea_max=40)
        await world.call(world.members[2], "PUT", f"/ideas/{sources[0]}/following")
        before = await state(world)
        await merge(world, target, *sources)
        merged = await state(world)
        simulated = await undo(world, target, dry_run=True)
        assert simulated.status_code == 200, simulated.text
        assert await state(world) == merged
        assert (await undo(world, target)).status_code == 200
        assert await state(world) == before
        assert problem(await undo(world, target)) == (409, "not-merged")
        assert (await world.allocate(world.members[1], sources[0], 1)).status_code == 201
        assert (await event_kinds(application, sources[0])).count("merge_undone") == 1

    async def test_is_refused_after_a_movement_and_names_it(self, application: FastAPI, client: AsyncClient) -> None:
        for audience in ("self", "managers"):
            world, [target, source, _] = await three_backed(application, client, stakes_visible_to=audience)
            await merge(world, target, source)
            assert (await world.allocate(world.members[3], target, 2)).status_code == 201
            merged = await state(world)
            refused = await undo(world, target)
            assert problem(refused) == (409, "merge-moved")
            found = refused.json()
            assert (found["idea_ids"], found["members"], found["wallets"]) == ([str(target)], 1, 0)
            persons = [str(world.members[3].id)] if audience == "managers" else None
            assert found.get("user_ids") == persons
            assert await state(world) == merged

    async def test_is_refused_after_a_returned_coin_has_moved(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, source, other] = await three_backed(application, client, coins_per_member_and_idea_max=40)
        await merge(world, target, source)
        assert (await world.allocate(world.members[1], other, 1)).status_code == 201
        refused = await undo(world, target)
        assert problem(refused) == (409, "merge-moved")
        assert (refused.json()["idea_ids"], refused.json()["wallets"]) == ([], 1)

    async def test_is_possible_within_the_undo_window(
        self, application: FastAPI, client: AsyncClient, admin_url: str
    ) -> None:
        world, [target, source, _] = await three_backed(application, client, undo_window_h=2)
        await merge(world, target, source)
        async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
            await connection.execute(
                "UPDATE app.idea_merges SET merged_at = merged_at - interval '3 hours' WHERE target_id = %s", (target,)
            )
        assert problem(await undo(world, target)) == (409, "undo-window-over")

    async def test_is_refused_after_the_target_was_decided(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, source, _] = await three_backed(application, client)
        await merge(world, target, source)
        assert (await world.step(world.manager, target, "accepted")).is_success
        assert problem(await undo(world, target)) == (409, "not-mergeable")

    async def test_the_last_merge_is_undone_first(self, application: FastAPI, client: AsyncClient) -> None:
        world, [target, source, other] = await three_backed(application, client)
        await merge(world, source, other)
        await merge(world, target, source)
        assert problem(await undo(world, source)) == (409, "not-mergeable")
        assert (await read(world, other))["merged_into_id"] == str(source)
        assert (await undo(world, target)).is_success
        assert (await read(world, source))["coins"] == 32


class TestHistory:
    async def test_has_merges_of_the_target_and_the_status_of_the_source(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, [target, source, _] = await three_backed(application, client)
        await merge(world, target, source)
        await undo(world, target)
        entries = (await world.call(world.members[3], "GET", f"/ideas/{target}/history")).json()["items"]
        assert [(entry["change"], entry["reason"]) for entry in entries if entry["kind"] == "merge"] == [
            ("undone", "By mistake."), ("added", REASON),
        ]  # fmt: skip
        entries = (await world.call(world.members[3], "GET", f"/ideas/{source}/history")).json()["items"]
        assert [entry["to_status"] for entry in entries if entry["kind"] == "status"][:2] == ["competing", "merged"]


class TestConcurrency:
    async def test_merges_in_opposite_directions_do_not_block_each_other(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        """One is done and the other refused, while members move coins of the ideas."""
        world, [one, two, three] = await three_backed(application, client)

        async def allocate(nth: int) -> Response:
            return await world.allocate(world.members[1 + nth % 3], (one, two, three)[nth % 3], 1)

        for _ in range(5):
            responses = await asyncio.gather(
                merge(world, one, two, three), merge(world, two, one), *(allocate(nth) for nth in range(12))
            )
            [first, second], moved = responses[:2], responses[2:]
            assert {first.status_code, second.status_code} == {200, 409}, (first.text, second.text)
            assert {response.status_code for response in moved} <= {201, 409, 503}
            target = one if first.status_code == 200 else two
            undone = await undo(world, target)
            if problem(undone) == (409, "merge-moved"):  # coins were put on the target after the merge
                break
        verified = await world.call(world.manager, "GET", "/campaigns/{id}/coins/verify")
        assert verified.json()["holds"] is True
