"""Pages of a member's statement: complete for every size of page, and as cheap with many movements as with few."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from api.coins import service as coins
from api.coins.reading.statements import Filters, list_statement
from tests.factories.ledgers import make_ledger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.coins.schemas import StatementLine
    from tests.factories.ledgers import Ledger

START = datetime(2126, 3, 1, tzinfo=UTC)
MEMBER = 1


async def filled(session: AsyncSession) -> Ledger:
    """Two hundred movements of a member, several of them at the same moment."""
    ledger = await make_ledger(session, ideas=5)
    chance = random.Random(7)
    moved = 0
    while moved < 200:
        source, target = chance.choice([None, 1, 2, 3, 4]), chance.choice([None, 1, 2, 3, 4])
        move = ledger.move(chance.randint(1, 9), member=MEMBER, source=source, target=target)
        (outcome,) = await coins.move_coins(session, [move], effective_at=START + timedelta(minutes=moved // 6))
        moved += outcome.outcome == "moved"
    return ledger


async def read(session: AsyncSession, ledger: Ledger, size: int, **filters: Any) -> list[StatementLine]:
    """All pages of this size."""
    lines: list[StatementLine] = []
    while True:
        after = (lines[-1].effective_at, lines[-1].transfer_id) if lines else None
        page = await list_statement(
            session, ledger.campaign_id, ledger.members[MEMBER], limit=size, after=after, filters=Filters(**filters)
        )
        lines += page
        if len(page) < size:
            return lines


@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
async def test_pages_of_any_size_have_all_movements_in_order(session: AsyncSession, size: int) -> None:
    ledger = await filled(session)
    lines = await read(session, ledger, size)
    assert len(lines) == 201
    assert lines == sorted(lines, key=lambda line: (line.effective_at, line.transfer_id), reverse=True)
    # at the end of the day, the statement agrees with the balance
    balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[MEMBER])
    spent = sum(
        (line.to_idea_id is None) * line.coins - (line.from_idea_id is None) * line.coins for line in lines[:-1]
    )
    assert balance.wallet_coins == 100 + spent


async def test_filters_leave_out_the_other_lines(session: AsyncSession) -> None:
    ledger = await filled(session)
    every = await read(session, ledger, 1000)
    idea, moment = ledger.ideas[2], START + timedelta(minutes=13)
    cases: list[tuple[dict[str, Any], list[StatementLine]]] = [
        ({"idea_id": idea}, [line for line in every if idea in {line.from_idea_id, line.to_idea_id}]),
        ({"kinds": ["grant"]}, [line for line in every if line.kind == "grant"]),
        ({"kinds": ["take_back", "reallocate"]}, [line for line in every if line.kind in {"take_back", "reallocate"}]),
        ({"since": moment}, [line for line in every if line.effective_at >= moment]),
        ({"until": moment}, [line for line in every if line.effective_at < moment]),
        (
            {"since": moment, "until": moment + timedelta(minutes=2), "kinds": ["allocate"], "idea_id": idea},
            [
                line for line in every
                if moment <= line.effective_at < moment + timedelta(minutes=2) and line.kind == "allocate"
                and line.to_idea_id == idea
            ],
        ),
    ]  # fmt: skip
    for filters, expected in cases:
        assert expected, filters
        for size in (1, 4, 1000):
            assert await read(session, ledger, size, **filters) == expected, filters


async def test_a_page_reads_as_many_blocks_with_many_movements_as_with_few(session: AsyncSession) -> None:
    ledger = await make_ledger(session)
    blocks = []
    for movements in (60, 6000):
        await session.execute(
            text("SELECT count(*) FROM generate_series(1, :count) AS n CROSS JOIN LATERAL app.coins_move("
                 "ARRAY[:campaign], ARRAY[:member], CASE n % 2 WHEN 0 THEN ARRAY[:idea] ELSE ARRAY[NULL::uuid] END, "
                 "CASE n % 2 WHEN 0 THEN ARRAY[NULL::uuid] ELSE ARRAY[:idea] END, ARRAY[1::bigint], ARRAY[NULL], ARRAY[NULL::bytea], "
                 "ARRAY[NULL], NULL, NULL, true)"),
            {"count": movements, "campaign": ledger.campaign_id, "member": ledger.members[MEMBER], "idea": ledger.ideas[1]},
        )  # fmt: skip
        first = await list_statement(session, ledger.campaign_id, ledger.members[MEMBER], limit=20, after=None)
        before = await _blocks(session)
        page = await list_statement(
            session, ledger.campaign_id, ledger.members[MEMBER], limit=20,
            after=(first[-1].effective_at, first[-1].transfer_id),
        )  # fmt: skip
        blocks.append(await _blocks(session) - before)
        assert len(page) == 20
    # with a hundred times as many movements the searches are a few steps longer and the indexes a level deeper
    assert 0 < blocks[1] < 3 * blocks[0]


async def _blocks(session: AsyncSession) -> int:
    """The blocks of transfers and postings and of their indexes that this transaction has read until now.

    Those of accounts are left out: this transaction has not committed, so all versions of their rows are there.
    """
    found: int = await session.scalar(
        text(
            "SELECT sum(pg_stat_get_xact_blocks_fetched(c.oid)) FROM pg_class AS c "
            "WHERE c.relname ~ '^((pk_|uq_|ix_)?coin_(transfers|postings))'"
        )
    )
    return found
