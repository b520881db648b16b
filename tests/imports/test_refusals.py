"""Repeated imports, and well-formed elections that are refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from api.coins import service as coins
from api.imports.errors import CurrencyUnknown, ElectionDiffers, ElectionNotOver, MalformedElection
from api.imports.service import Defaults, ImportedElection, Status, import_election
from tests.factories.containers import parts
from tests.factories.elections import Importer, changed, election_file, line_of, without

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI


class TestAgain:
    async def test_the_same_file_changes_nothing(self, importer: Importer) -> None:
        first = await importer(election_file("approval"))
        again = await importer(election_file("approval"), name="renamed.pb", currency="EUR")
        assert (first.status, again.status) == (Status.IMPORTED, Status.UNCHANGED)
        assert again.campaign_id == first.campaign_id
        assert (again.ideas, again.ballots, again.allocations, again.coins) == (4, 6, 10, 10)
        assert again.currency == "PLN"
        events = await importer.rows("SELECT kind FROM app.events WHERE campaign_id = :campaign", first.campaign_id)
        assert len(events) == 1

    async def test_the_same_election_with_other_content_is_refused(self, importer: Importer) -> None:
        first = await importer(election_file("approval"))
        other = changed(election_file("approval"), "Kino letnie", "Kino zimowe")
        with pytest.raises(
            ElectionDiffers,
            match=r"other\.pb: Neighbourhood budget of Brzegowo, 2021 was imported before, from town\.pb",
        ):
            await importer(other, name="other.pb")
        ideas = await importer.rows("SELECT title FROM app.ideas WHERE campaign_id = :campaign", first.campaign_id)
        assert "Kino letnie" in {idea.title for idea in ideas}

    async def test_an_election_of_an_earlier_version_is_known_by_its_description(
        self, importer: Importer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as earlier:
            earlier.setattr("api.imports.service.election_key", lambda _: "poland/brzegowo/stare-miasto/2021")
            await importer(election_file("approval"))
        with pytest.raises(ElectionDiffers):
            await importer(changed(election_file("approval"), "Kino letnie", "Kino zimowe"))
        other = changed(election_file("approval"), "Neighbourhood budget", "School budget")
        assert (await importer(other)).status is Status.IMPORTED

    async def test_another_instance_is_another_election(self, importer: Importer) -> None:
        await importer(election_file("approval"))
        election = await importer(changed(election_file("approval"), "instance;2021", "instance;2022"))
        assert election.status is Status.IMPORTED

    async def test_another_description_is_another_election(self, importer: Importer) -> None:
        raws = [
            changed(election_file("approval"), "budget of Brzegowo", f"budget of Brzegowo, {name}")
            for name in ("schools", "streets", "STREETS")
        ]
        elections = [await importer(raw) for raw in raws[:2]]
        assert [election.slug for election in elections] == [
            "poland-brzegowo-stare-miasto-2021",
            "poland-brzegowo-stare-miasto-2021-neighbourhood-budget-of-streets",
        ]
        with pytest.raises(ElectionDiffers):
            await importer(raws[2])

    async def test_concurrent_imports_create_one_campaign(self, application: FastAPI, tmp_path: Path) -> None:
        path = tmp_path / "race.pb"
        path.write_bytes(changed(election_file("approval"), "unit;Brzegowo", "unit;Racetown"))

        async def run() -> ImportedElection:
            async with parts(application).database.session() as session:
                return await import_election(session, path, actor_id=None)

        elections = await asyncio.gather(*(run() for _ in range(3)))
        assert sorted(election.status for election in elections) == ["imported", "unchanged", "unchanged"]
        assert len({election.campaign_id for election in elections}) == 1
        async with parts(application).database.session() as session:
            (conservation,) = await coins.verify(session, elections[0].campaign_id)
        assert (conservation.holds, conservation.issued_coins) == (True, 18)


class TestRefused:
    async def test_an_election_with_unknown_currency(self, importer: Importer) -> None:
        raw = changed(election_file("approval"), "country;Poland", "country;Worldwide")
        with pytest.raises(CurrencyUnknown, match="--currency EUR"):
            await importer(raw)
        assert (await importer(raw, currency="EUR")).currency == "EUR"

    async def test_an_election_that_is_not_over(self, importer: Importer) -> None:
        raw = changed(election_file("approval"), "date_end;14.10.2021", "date_end;14.10.2199")
        with pytest.raises(ElectionNotOver, match=r"14\.10\.2199"):
            await importer(raw)

    async def test_a_missing_file(self, importer: Importer) -> None:
        with pytest.raises(FileNotFoundError):
            await import_election(importer.session, importer.folder / "none.pb", actor_id=None)

    async def test_a_failed_import_writes_nothing(
        self, application: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "half.pb"
        path.write_bytes(changed(election_file("approval"), "unit;Brzegowo", "unit;Halfway"))

        def fail(stage: str, done: int, total: int) -> None:
            if stage == "settlement":
                raise RuntimeError(stage)

        with pytest.raises(RuntimeError, match="settlement"):
            async with parts(application).database.session() as session:
                await import_election(session, path, actor_id=None, progress=fail)
        async with parts(application).database.session() as session:
            left = await session.scalar(text("SELECT count(*) FROM app.campaigns WHERE slug LIKE 'poland-halfway%'"))
            assert left == 0
            assert (await import_election(session, path, actor_id=None)).status is Status.IMPORTED


class TestDefaults:
    RAW = without(election_file("approval"), "country", "unit", "instance", "date_begin", "date_end", "budget")

    async def test_they_supply_what_the_file_leaves_out(self, importer: Importer) -> None:
        given = Defaults(country="Ukraine", unit="Чернівці", instance="2024", date="2024-06-30")
        election = await importer(self.RAW, defaults=given)
        assert (election.slug, election.currency) == ("ukraine-chernivtsi-stare-miasto-2024", "UAH")
        (row,) = await importer.rows(
            "SELECT source, budget_amount, ends_at FROM app.campaigns WHERE id = :campaign", election.campaign_id
        )
        assert row.source["supplied"] == {
            "country": "Ukraine",
            "unit": "Чернівці",
            "instance": "2024",
            "date_begin": "2024-06-30",
            "date_end": "2024-06-30",
        }
        assert row.source["meta"]["country"] == "Ukraine"
        assert (row.budget_amount, row.ends_at.isoformat()) == (None, "2024-06-30T23:59:59+00:00")

    async def test_without_a_country_the_currency_is_unknown(self, importer: Importer) -> None:
        with pytest.raises(CurrencyUnknown, match="--country or --currency"):
            await importer(self.RAW, defaults=Defaults(date="2024"))
        election = await importer(self.RAW, defaults=Defaults(date="2024"), currency="EUR")
        assert (election.slug, election.title) == (
            "neighbourhood-budget-of-brzegowo-stare-miasto-2024",
            "Neighbourhood budget of Brzegowo, 2024",
        )


class TestIrregularBallots:
    async def test_they_are_reported_and_stored(self, importer: Importer) -> None:
        raw = changed(election_file("approval"), "max_length;3", "max_length;2")
        election = await importer(raw)
        assert (election.ballots, election.irregular_counted) == (6, True)
        line = line_of(raw, "4;;M")
        reason = "the ballot of voter 4 has a number of projects of 3"
        assert election.irregular == (f"line {line}: {reason}. Expected: max_length, 2, or less.",)
        (row,) = await importer.rows("SELECT source FROM app.campaigns WHERE id = :campaign", election.campaign_id)
        assert row.source["irregular_ballots"] == {
            "are_counted": True,
            "ballots": [{"line": line, "reason": reason}],
        }

    async def test_those_that_the_totals_do_not_count_have_no_voter(self, importer: Importer) -> None:
        raw = election_file("approval") + b"7;50;M;internet;BR-1,BR-4;Rynek\n"
        election = await importer(raw)
        assert (election.ballots, election.irregular_counted, len(election.irregular)) == (6, False, 1)
        voters = await importer.rows(
            "SELECT count(*) AS n FROM app.memberships WHERE campaign_id = :campaign", election.campaign_id
        )
        assert voters[0].n == 6


class TestAcceptCounts:
    RAW = changed(election_file("approval"), "num_votes;6", "num_votes;60")

    async def test_wrong_totals_are_refused(self, importer: Importer) -> None:
        with pytest.raises(MalformedElection, match="num_votes is 60"):
            await importer(self.RAW)

    async def test_and_accepted_on_request(self, importer: Importer) -> None:
        election = await importer(self.RAW, accept_counts=True)
        assert (election.ballots, len(election.differences)) == (6, 1)
        (row,) = await importer.rows(
            "SELECT i.accepted_counts, c.source FROM app.election_imports AS i JOIN app.campaigns AS c ON c.id = i.campaign_id"
            " WHERE c.id = :campaign",
            election.campaign_id,
        )
        assert row.accepted_counts
        assert row.source["differences"][0]["reason"] == "num_votes is 60, but the rows of VOTES are 6"

    async def test_an_invalid_row_is_still_refused(self, importer: Importer) -> None:
        with pytest.raises(MalformedElection, match="voter 2 voted already"):
            await importer(changed(self.RAW, "\n5;40-59", "\n2;40-59"), accept_counts=True)
