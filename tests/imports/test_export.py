"""Campaigns as files in Pabulib's format, which import again."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.campaigns.errors import CampaignNotFound
from api.imports.elections import Defaults
from api.imports.errors import ElectionNotOver, TooFewVoters
from api.imports.export import ExportedElection, export_campaign
from api.imports.pabulib import parse_election
from api.kernel import clock
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts
from tests.factories.elections import KINDS, Importer, changed, election_file, write_election

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi import FastAPI
    from httpx2 import AsyncClient

RESULT = """
    SELECT i.title, i.status, t.settled_coins AS coins, t.settled_backers AS backers,
        (SELECT max(v.amount) FROM app.idea_valuations AS v WHERE v.idea_id = i.id) AS cost
    FROM app.ideas AS i JOIN app.coin_targets AS t ON t.idea_id = i.id
    WHERE i.campaign_id = :campaign ORDER BY i.title
"""


async def result(importer: Importer, campaign_id: UUID) -> list[tuple[object, ...]]:
    """What the ideas of a campaign got, by title."""
    return [tuple(row) for row in await importer.rows(RESULT, campaign_id)]


class TestImportedElection:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_it_imports_again_with_equal_totals(self, importer: Importer, kind: str) -> None:
        await self.check(importer, election_file(kind))

    @pytest.mark.parametrize(
        ("kind", "old", "new"),
        [
            ("approval", "6;28;F;paper;BR-4;", "6;28;F;paper;BR-1,BR-1;"),  # an idea twice
            ("cumulative", "b;12;5;", "b;12;0;"),  # a voter without coins on ideas
            ("ordinal", "64;1,2,3;", "64;1,2,1;"),
            ("scoring", "20;lamps;2;67", "20;lamps;1;67"),
        ],
    )
    async def test_unusual_ballots_too(self, importer: Importer, kind: str, old: str, new: str) -> None:
        raw = changed(election_file(kind), old, new).replace(b";votes;", b";marks;").replace(b";score", b";result")
        await self.check(importer, raw)

    async def check(self, importer: Importer, raw: bytes) -> None:
        async with importer.session.begin_nested() as savepoint:
            first = await importer(raw)
            expected = await result(importer, first.campaign_id)
            exported = await export_campaign(importer.session, first.slug)
            await savepoint.rollback()
        again = await importer(exported.content)
        assert (again.slug, again.title, again.currency) == (first.slug, first.title, first.currency)
        assert (again.ideas, again.ballots, again.coins) == (first.ideas, first.ballots, first.coins)
        assert (exported.ideas, exported.ballots, exported.coins) == (first.ideas, first.ballots, first.coins)
        assert await result(importer, again.campaign_id) == expected

    async def test_its_meta_is_that_of_the_file(self, importer: Importer) -> None:
        raw = election_file("approval")
        exported = await export_campaign(importer.session, (await importer(raw)).slug)
        meta = parse_election(raw, "town.pb").meta
        assert parse_election(exported.content, "again.pb").meta == {**meta, "currency": "PLN"}

    async def test_voters_have_other_ids_in_each_export(self, importer: Importer) -> None:
        election = await importer(election_file("approval"))
        exports = [await export_campaign(importer.session, str(election.campaign_id)) for _ in range(2)]
        ids = [
            {ballot.voter_ref for ballot in parse_election(exported.content, "again.pb").ballots}
            for exported in exports
        ]
        assert [len(each) for each in ids] == [6, 6]
        assert not ids[0] & ids[1]
        assert not {"1", "2", "3", "4", "5", "6"} & (ids[0] | ids[1])

    async def test_only_attributes_of_large_groups_are_written(self, importer: Importer) -> None:
        meta = {
            "description": "Vote",
            "country": "Poland",
            "unit": "Lisia",
            "instance": "2020",
            "vote_type": "approval",
            "date_end": "2020-05-31",
        }
        votes = [
            {"voter_id": str(n), "vote": "1", "sex": "F" if n < 14 else "X", "district": "N" if n % 2 else "S"}
            for n in range(16)
        ]
        election = await importer(write_election(meta, [{"project_id": "1", "cost": "5"}], votes))
        exported = await export_campaign(importer.session, election.slug)
        again = parse_election(exported.content, "again.pb")
        assert Counter(repr(dict(ballot.attributes)) for ballot in again.ballots) == {
            "{'district': 'N'}": 8,
            "{'district': 'S'}": 8,
        }


class TestOwnCampaign:
    async def world(self, application: FastAPI, client: AsyncClient, *, members: int) -> tuple[World, list[UUID]]:
        world = await make_world(
            application, client, members=members, policy={"coins_per_member": 40}, budget_amount=5000, currency="EUR"
        )
        ideas = [await world.submit(world.members[0], title) for title in ("Tool library", "Quiet; room", "Bike racks")]
        for place, member in enumerate(world.members[1:]):
            assert (await world.allocate(member, ideas[place % 2], 10 + place)).status_code == 201
            assert (await world.allocate(member, ideas[2], 5)).status_code == 201
        return world, ideas

    async def export(self, world: World) -> ExportedElection:
        async with parts(world.app).database.session() as session:
            return await export_campaign(session, str(world.campaign_id))

    async def test_it_imports_again_with_equal_totals(
        self, application: FastAPI, client: AsyncClient, importer: Importer
    ) -> None:
        world, ideas = await self.world(application, client, members=8)
        valuation = {"kind": "expected_cost", "amount": "1200.50", "currency": "EUR", "valued_on": "2026-05-01"}
        path = f"/ideas/{ideas[0]}/valuations"
        assert (await world.call(world.manager, "POST", path, json=valuation | {"source": "Quote"})).status_code == 201
        withdrawn = await world.submit(world.members[0], "Withdrawn before the end")
        assert (await world.allocate(world.members[1], withdrawn, 3)).status_code == 201
        assert (await world.step(world.members[0], withdrawn, "withdrawn")).is_success
        assert (await world.step(world.manager, ideas[0], "accepted")).is_success
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/complete")).is_success

        exported = await self.export(world)
        expected = [row for row in await result(importer, world.campaign_id) if row[1] != "withdrawn"]
        name = f"{uuid4().hex}.pb"
        with clock.at(clock.now() + timedelta(days=1)):
            again = await importer(exported.content, name=name, defaults=Defaults(country="France"))
        assert (exported.ideas, exported.ballots, exported.coins) == (again.ideas, again.ballots, again.coins)
        assert (again.ideas, again.ballots, again.currency) == (3, 7, "EUR")
        assert await result(importer, again.campaign_id) == expected
        assert {row[0]: row[1] for row in expected} == {
            "Tool library": "accepted",
            "Quiet; room": "not_selected",
            "Bike racks": "not_selected",
        }
        (campaign,) = await importer.rows("SELECT * FROM app.campaigns WHERE id = :campaign", again.campaign_id)
        assert (campaign.budget_amount, campaign.title.startswith("A better way to work")) == (5000, True)

    async def test_members_are_not_named(self, application: FastAPI, client: AsyncClient) -> None:
        world, _ = await self.world(application, client, members=6)
        async with parts(application).database.session() as session:
            await session.execute(
                text(
                    "UPDATE app.memberships SET attributes = CAST(:attributes AS jsonb) WHERE campaign_id = :campaign_id"
                ).bindparams(attributes='{"Department": "Research", "vote": "x"}', campaign_id=world.campaign_id)
            )
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/complete")).is_success
        content = (await self.export(world)).content.decode()
        for member in world.members:
            assert str(member.id) not in content
            assert member.display_name not in content
        ballots = parse_election(content.encode(), "own.pb", defaults=Defaults(country="France")).ballots
        assert [dict(ballot.attributes) for ballot in ballots] == [{"department": "Research"}] * 5

    async def test_it_is_refused_while_members_can_move_coins(self, application: FastAPI, client: AsyncClient) -> None:
        world, _ = await self.world(application, client, members=6)
        with pytest.raises(ElectionNotOver, match="can still move coins"):
            await self.export(world)

    async def test_it_is_refused_with_fewer_than_five_voters(self, application: FastAPI, client: AsyncClient) -> None:
        world, _ = await self.world(application, client, members=5)
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/complete")).is_success
        with pytest.raises(TooFewVoters, match="fewer than 5"):
            await self.export(world)

    @pytest.mark.parametrize("campaign", ["no-such-campaign", "00000000-0000-0000-0000-00000000002a"])
    async def test_an_unknown_campaign_is_refused(self, importer: Importer, campaign: str) -> None:
        with pytest.raises(CampaignNotFound):
            await export_campaign(importer.session, campaign)
