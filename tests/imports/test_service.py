"""The rows of an imported election."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.auth.service import create_user
from api.coins import service as coins
from api.imports.service import Status
from tests.factories.elections import KINDS, Importer, election_file
from tests.factories.idea_lists import list_ideas

NOON = datetime(2021, 10, 14, 12, tzinfo=UTC)


class TestCampaign:
    async def test_it_is_completed_and_marked_as_imported(self, importer: Importer) -> None:
        election = await importer(election_file("approval"))
        (campaign,) = await importer.rows("SELECT * FROM app.campaigns WHERE id = :campaign", election.campaign_id)
        assert (campaign.slug, campaign.title) == (
            "poland-brzegowo-stare-miasto-2021",
            "Neighbourhood budget of Brzegowo, 2021",
        )
        assert (campaign.status, campaign.origin, campaign.is_mediated) == ("completed", "imported", False)
        assert (campaign.budget_amount, campaign.currency) == (Decimal(90000), "PLN")
        assert campaign.starts_at == campaign.activated_at == datetime(2021, 10, 1, tzinfo=UTC)
        assert campaign.completed_at == NOON
        assert campaign.ends_at.date() == date(2021, 10, 14)
        assert campaign.source["meta"]["max_sum_cost"] == "90000"
        assert campaign.source["ballot_kind"] == "approval"

    async def test_its_policy_is_the_files(self, importer: Importer) -> None:
        election = await importer(election_file("cumulative"))
        (policy,) = await coins.list_policies(importer.session, election.campaign_id)
        assert (policy.coins_per_member, policy.coins_per_member_and_idea_max) == (7, 5)
        assert (policy.coins_per_allocation_min, policy.own_ideas, policy.take_back) == (1, False, True)
        assert policy.allocation_opens_at == datetime(2022, 5, 2, tzinfo=UTC)

    async def test_a_taken_slug_gets_a_suffix(self, importer: Importer) -> None:
        await importer.session.execute(
            text("INSERT INTO app.campaigns (slug, title) VALUES ('france-valmont-2022', 'Another campaign')")
        )
        election = await importer(election_file("cumulative"))
        assert election.slug == "france-valmont-2022-budget-citoyen-de"


class TestIdeas:
    async def test_they_contain_the_values_of_the_file(self, importer: Importer) -> None:
        election = await importer(election_file("approval"))
        ideas = await importer.rows(
            "SELECT * FROM app.ideas WHERE campaign_id = :campaign ORDER BY source_ref", election.campaign_id
        )
        assert [idea.source_ref for idea in ideas] == ["BR-1", "BR-2", "BR-3", "BR-4"]
        assert ideas[1].title == 'Boisko "Orlik"; oświetlenie'
        assert (ideas[0].latitude, ideas[0].longitude, ideas[3].latitude) == (52.4064, 16.9252, None)
        assert [idea.status for idea in ideas] == ["accepted", "accepted", "not_selected", "outcome_unknown"]
        assert all(idea.author_id is None for idea in ideas)

    async def test_categories_targets_and_places_are_tags(self, importer: Importer) -> None:
        tags = "SELECT i.source_ref, t.kind, t.name FROM app.idea_tags AS t JOIN app.ideas AS i ON i.id = t.idea_id WHERE i.campaign_id = :campaign"
        approval = {
            tuple(row) for row in await importer.rows(tags, (await importer(election_file("approval"))).campaign_id)
        }
        assert approval == {
            ("BR-1", "category", "public space"),
            ("BR-1", "category", "urban greenery"),
            ("BR-1", "target", "seniors"),
            ("BR-2", "category", "sport"),
            ("BR-2", "target", "children"),
            ("BR-2", "target", "youth"),
            ("BR-3", "category", "culture"),
        }
        cumulative = await importer.rows(tags, (await importer(election_file("cumulative"))).campaign_id)
        assert ("31", "tag", "Le Pré") in {tuple(row) for row in cumulative}

    async def test_their_cost_is_expected_in_the_elections_currency(self, importer: Importer) -> None:
        election = await importer(election_file("approval"))
        (cost,) = await importer.rows(
            "SELECT v.* FROM app.idea_valuations AS v JOIN app.ideas AS i ON i.id = v.idea_id"
            " WHERE i.campaign_id = :campaign AND i.source_ref = 'BR-2'",
            election.campaign_id,
        )
        assert (cost.kind, cost.amount, cost.currency) == ("expected_cost", Decimal("25000.50"), "PLN")
        assert (cost.valued_on, cost.source) == (date(2021, 10, 1), "cost in town.pb")

    async def test_their_history_ends_at_noon_of_the_last_day(self, importer: Importer) -> None:
        election = await importer(election_file("approval"))
        changes = await importer.rows(
            "SELECT i.source_ref, c.from_status, c.to_status, c.changed_at, c.reason FROM app.idea_status_changes AS c"
            " JOIN app.ideas AS i ON i.id = c.idea_id WHERE i.campaign_id = :campaign ORDER BY i.source_ref, c.changed_at",
            election.campaign_id,
        )
        assert [tuple(row) for row in changes[:2]] == [
            ("BR-1", None, "competing", datetime(2021, 10, 1, tzinfo=UTC), None),
            ("BR-1", "competing", "accepted", NOON, None),
        ]
        assert "selected is 2 in the file" in changes[7].reason

    async def test_without_a_column_the_outcome_is_unknown(self, importer: Importer) -> None:
        election = await importer(election_file("ordinal"))
        statuses = await importer.rows(
            "SELECT DISTINCT status FROM app.ideas WHERE campaign_id = :campaign", election.campaign_id
        )
        assert [row.status for row in statuses] == ["outcome_unknown"]


class TestVoters:
    async def test_they_are_members_who_cannot_log_in(self, importer: Importer) -> None:
        election = await importer(election_file("approval"))
        voters = await importer.rows(
            "SELECT u.*, m.role, m.joined_at, m.left_at, m.attributes FROM app.memberships AS m"
            " JOIN app.users AS u ON u.id = m.user_id WHERE m.campaign_id = :campaign ORDER BY u.display_name",
            election.campaign_id,
        )
        assert [voter.display_name for voter in voters] == [f"Voter {n}" for n in range(1, 7)]
        assert all((v.email, v.password_hash, v.is_imported, v.roles) == (None, None, True, []) for v in voters)
        assert all((v.role, v.joined_at, v.left_at) == ("member", NOON, None) for v in voters)
        assert voters[0].attributes == {"age": 34, "sex": "F", "voting_method": "internet", "neighborhood": "Rynek"}


class TestCoins:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_each_idea_has_the_coins_and_backers_of_the_ballots(self, importer: Importer, kind: str) -> None:
        from api.imports.pabulib import parse_election

        election = await importer(election_file(kind))
        parsed = parse_election(election_file(kind), "town.pb")
        backers: defaultdict[str, int] = defaultdict(int)
        for ballot in parsed.ballots:
            for ref in ballot.allocations:
                backers[ref] += 1
        listed = await list_ideas(
            importer.session, election.campaign_id, user_id=uuid4(), role="manager", limit=len(parsed.projects) + 1
        )
        assert {idea["source_ref"]: (idea["coins"], idea["backers"]) for idea in listed} == {
            project.ref: (parsed.coins[project.ref], backers[project.ref]) for project in parsed.projects
        }

    @pytest.mark.parametrize("kind", KINDS)
    async def test_they_are_conserved(self, importer: Importer, kind: str) -> None:
        election = await importer(election_file(kind))
        (conservation,) = await coins.verify(importer.session, election.campaign_id)
        assert conservation.holds
        assert conservation.issued_coins == conservation.expired_coins > 0

    async def test_all_of_them_move_at_noon_of_the_last_day(self, importer: Importer) -> None:
        election = await importer(election_file("approval"))
        moments = await importer.rows(
            "SELECT kind, count(*), min(effective_at) AS first, max(effective_at) AS last FROM app.coin_transfers"
            " WHERE campaign_id = :campaign GROUP BY kind ORDER BY kind",
            election.campaign_id,
        )
        # 6 voters x 3 coins; 10 allocations, 7 of them on the two accepted ideas, 3 settled with 5 wallets' rest
        assert [(row.kind, row.count) for row in moments] == [
            ("allocate", 10),
            ("expire", 7),
            ("grant", 6),
            ("settle", 3 + 5),
        ]
        assert {moment for row in moments for moment in (row.first, row.last)} == {NOON}

    async def test_no_event_is_written_for_each_of_them(self, importer: Importer) -> None:
        election = await importer(election_file("approval"))
        events = await importer.rows(
            "SELECT kind, data FROM app.events WHERE campaign_id = :campaign", election.campaign_id
        )
        assert [event.kind for event in events] == ["election_imported"]
        assert (events[0].data["ballots"], events[0].data["coins"]) == (6, 10)

    async def test_a_wallet_with_more_ideas_than_a_call_has_moves(
        self, importer: Importer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api.imports.service.MOVES_PER_CALL", 2)
        election = await importer(election_file("approval"))
        (conservation,) = await coins.verify(importer.session, election.campaign_id)
        assert (election.allocations, conservation.holds) == (10, True)


class TestResult:
    async def test_it_describes_the_import(self, importer: Importer) -> None:
        election = await importer(election_file("cumulative"))
        assert election.status is Status.IMPORTED
        assert (election.ideas, election.ballots, election.allocations, election.coins) == (3, 5, 8, 24)
        assert election.as_dict()["campaign_id"] == str(election.campaign_id)

    async def test_progress_is_reported_by_stage(self, importer: Importer) -> None:
        stages: list[tuple[str, int, int]] = []
        await importer(election_file("approval"), progress=lambda *step: stages.append(step))
        assert [step for step in stages if step[1] == step[2]] == [
            ("ideas", 4, 4),
            ("voters", 6, 6),
            ("ballots", 10, 10),
            ("settlement", 1, 1),
        ]

    async def test_the_actor_is_recorded(self, importer: Importer) -> None:
        actor = await create_user(importer.session, email="importer@example.org", display_name="Imogen Porter")
        election = await importer(election_file("approval"), actor_id=actor.id)
        actors = await importer.rows(
            "SELECT DISTINCT actor_id FROM app.coin_transfers WHERE campaign_id = :campaign"
            " UNION SELECT created_by FROM app.ideas WHERE campaign_id = :campaign"
            " UNION SELECT imported_by FROM app.election_imports WHERE campaign_id = :campaign"
            " UNION SELECT actor_id FROM app.events WHERE campaign_id = :campaign",
            election.campaign_id,
        )
        assert [row[0] for row in actors] == [actor.id]
