"""Compares the result of every file in the folder IDEAMINT_TEST_ELECTIONS with its published result."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from api.coins import service as coins
from api.imports.service import Status, import_election
from api.kernel.db import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from settings import Settings

FOLDER = os.environ.get("IDEAMINT_TEST_ELECTIONS")
FILES = sorted(Path(FOLDER).glob("*.pb")) if FOLDER else []
RESULT = text(
    """
    SELECT i.id, i.source_ref, i.status, t.settled_coins AS coins, t.settled_backers AS backers
    FROM app.ideas AS i JOIN app.coin_targets AS t ON t.idea_id = i.id
    WHERE i.campaign_id = :campaign_id
    """
)
ALLOCATED = text(
    """
    SELECT a.idea_id, sum(p.amount_coins) AS coins, count(*) AS transfers
    FROM app.coin_transfers AS t
    JOIN app.coin_postings AS p ON p.transfer_id = t.id AND p.side = 1
    JOIN app.coin_accounts AS a ON a.id = p.account_id
    WHERE t.campaign_id = :campaign_id AND t.kind = 'allocate'
    GROUP BY a.idea_id
    """
)


def published(path: Path) -> tuple[dict[str, dict[str, str]], dict[str, int], int]:
    """Rows of PROJECTS by id, how often VOTES names each, and the number of votes; read without the tested parser."""
    title, header = "", None
    projects: dict[str, dict[str, str]] = {}
    named: dict[str, int] = {}
    votes = 0
    with path.open(encoding="utf-8", newline="") as file:
        for cells in csv.reader(file, delimiter=";"):
            if len(cells) == 1 and cells[0] in {"META", "PROJECTS", "VOTES"}:
                title, header = cells[0], None
            elif header is None:
                header = cells
            elif title == "PROJECTS":
                row = dict(zip(header, cells, strict=True))
                projects[row["project_id"]] = row
            elif title == "VOTES" and cells:
                votes += 1
                for ref in dict(zip(header, cells, strict=True))["vote"].split(","):
                    named[ref] = named.get(ref, 0) + 1
    return projects, named, votes


@pytest_asyncio.fixture(scope="module")
async def empty_database(server_of_its_own: Settings) -> AsyncIterator[Database]:
    """A migrated database on a server of its own, since the largest of these imports takes minutes."""
    database = Database(server_of_its_own.database)
    yield database
    await database.close()


@pytest.mark.skipif(not FILES, reason="IDEAMINT_TEST_ELECTIONS names no folder with .pb files")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestRealElection:
    async def test_its_result_equals_the_published_one(self, path: Path, empty_database: Database) -> None:
        projects, named, votes = published(path)
        async with empty_database.session(statement_timeout_ms=0) as session:
            election = await import_election(session, path, actor_id=None)
        assert (election.ideas, election.ballots) == (len(projects), votes)

        async with empty_database.session(statement_timeout_ms=0) as session:
            ideas = {
                row.source_ref: row for row in await session.execute(RESULT, {"campaign_id": election.campaign_id})
            }
            allocated = {
                row.idea_id: row for row in await session.execute(ALLOCATED, {"campaign_id": election.campaign_id})
            }
            (conservation,) = await coins.verify(session, election.campaign_id)
            again = await import_election(session, path, actor_id=None)
        assert (conservation.difference_coins, conservation.wrong_balances, conservation.unbalanced_transfers) == (
            0,
            0,
            0,
        )
        assert again.status is Status.UNCHANGED

        assert ideas.keys() == projects.keys()
        for ref, project in projects.items():
            idea, ledger = ideas[ref], allocated[ideas[ref].id]
            assert idea.coins == ledger.coins
            assert idea.backers == ledger.transfers
            if "score" in project:
                assert idea.coins == int(project["score"])
            if "votes" in project:
                assert named[ref] == int(project["votes"])
            assert idea.status == self.outcome(project)
        if path.name == "poland_czestochowa_2020_.pb":
            assert (named["579"], ideas["579"].backers) == (704, 701)
            assert (election.ballots, election.coins, election.ideas) == (16978, 168636, 90)

    @staticmethod
    def outcome(project: dict[str, Any]) -> str:
        return {"1": "accepted", "0": "not_selected", None: "outcome_unknown"}[project.get("selected")]
