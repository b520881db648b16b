"""A member's statement: one page, or all lines as CSV."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from api.coins.reading import queries
from api.coins.schemas import StatementLine
from pipelines.wording import CSV_START, csv_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.coins.schemas import TransferKind
    from api.kernel.db import Database

LINES_AT_ONCE = 1000


@dataclass(frozen=True)
class Filters:
    """Filters for lines of a statement; None does not filter. `since` is inclusive, `until` exclusive."""

    idea_id: UUID | None = None
    kinds: Sequence[TransferKind] | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL = Filters()


async def list_statement(
    session: AsyncSession,
    campaign_id: UUID,
    user_id: UUID,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None,
    filters: Filters = ALL,
) -> list[StatementLine]:
    """A member's movements, newest first; `after` is the (effective_at, transfer_id) of the last line seen."""
    rows = await session.execute(
        queries.STATEMENT,
        {
            **asdict(filters),
            "campaign_id": campaign_id,
            "user_id": user_id,
            "limit": limit,
            "after_at": after[0] if after else None,
            "after_id": after[1] if after else None,
        },
    )
    return [StatementLine.model_validate(row) for row in rows]


async def write_csv(database: Database, campaign_id: UUID, user_id: UUID, filters: Filters) -> AsyncIterator[str]:
    """The whole statement as CSV (RFC 4180, with a byte order mark), newest first, a thousand lines at a time.

    Each part is read in a read-only session of its own, so that a slow client holds no connection. Movements during the
    export are newer than the first line and are left out.
    """
    columns = list(StatementLine.model_fields)
    yield CSV_START + csv_lines([columns])
    after: tuple[datetime, UUID] | None = None
    while True:
        async with database.snapshot() as session:
            lines = await list_statement(
                session, campaign_id, user_id, limit=LINES_AT_ONCE, after=after, filters=filters
            )
        if lines:
            yield csv_lines([list(line.model_dump(mode="json").values()) for line in lines])
        if len(lines) < LINES_AT_ONCE:
            return
        after = lines[-1].effective_at, lines[-1].transfer_id
