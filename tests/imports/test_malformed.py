"""Every kind of refused file: line, reason and expected value are reported, and no row is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from api.imports.errors import MalformedElection
from api.imports.pabulib import parse_election
from api.imports.service import import_election
from tests.factories.broken_elections import APPROVAL, CASES, CUMULATIVE, Case
from tests.factories.elections import changed, line_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

# tables that an import writes, directly or by its commands
TABLES = (
    *("campaigns", "users", "memberships", "ideas", "idea_tags", "idea_status_changes", "idea_valuations", "events"),
    *(
        "election_imports",
        "coin_policies",
        "coin_ledgers",
        "coin_targets",
        "coin_accounts",
        "coin_transfers",
        "coin_postings",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
class TestRefused:
    def test_with_its_line_and_reason(self, case: Case) -> None:
        if not case.name.startswith("bad UTF-8"):
            expected = case.expected_line
        else:
            expected = line_of(case.raw.decode("cp1250").encode(), "BR-1;")
        with pytest.raises(MalformedElection) as refused:
            parse_election(case.raw, "town.pb")
        fault = refused.value.faults[0]
        assert case.reason in fault.reason
        assert fault.line == expected
        assert fault.expected
        assert f"town.pb: line {expected}: " in str(refused.value)

    async def test_without_writing_rows(self, case: Case, session: AsyncSession, tmp_path: Path) -> None:
        path = tmp_path / "town.pb"
        path.write_bytes(case.raw)
        before = await count_rows(session)
        with pytest.raises(MalformedElection):
            await import_election(session, path, actor_id=None)
        assert await count_rows(session) == before


class TestManyFaults:
    def test_each_row_is_reported_in_order(self) -> None:
        raw = changed(changed(CUMULATIVE, "4,2,1", "4,2"), "c;7,31;5,2", "c;7,31;5,x")
        with pytest.raises(MalformedElection) as refused:
            parse_election(raw, "town.pb")
        assert [fault.line for fault in refused.value.faults] == [line_of(raw, "a;"), line_of(raw, "c;")]
        assert refused.value.extensions["faults_total"] == 2

    def test_past_twenty_they_are_counted(self) -> None:
        rows = "".join(f"x{n};nowhere;1;\n" for n in range(30)).encode()
        with pytest.raises(MalformedElection, match=r"town\.pb: and 10 more errors") as refused:
            parse_election(CUMULATIVE + rows, "town.pb")
        assert (len(refused.value.faults), refused.value.extensions["faults_total"]) == (20, 30)

    def test_an_invalid_project_is_reported_without_its_ballots(self) -> None:
        with pytest.raises(MalformedElection) as refused:
            parse_election(changed(APPROVAL, "BR-1;40000", "BR-1;dear"), "town.pb")
        assert len(refused.value.faults) == 1


async def count_rows(session: AsyncSession) -> dict[str, int]:
    """Row counts by table, as this transaction sees them. Of events only its own: the application records others meanwhile."""
    own = {"events": "WHERE xid = pg_current_xact_id()"}
    return {
        table: (await session.scalars(text(f"SELECT count(*) FROM app.{table} {own.get(table, '')}"))).one()
        for table in TABLES
    }
