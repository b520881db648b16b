"""The chain of sealed transfers: its head, its verification and its export. Its format is in docs/ledger-export.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import orjson
from sqlalchemy import text

from api.coins import errors
from api.coins.schemas import ChainCheck, ChainFinding, ChainHead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database

FORMAT = "ideamint-ledger-1"
FINDINGS_MAX = 100
LINES_AT_ONCE = 5000
# the hash before the first block
NO_HASH = "0" * 64

_HEAD = text(
    """
    SELECT l.campaign_id, coalesce(c.height, 0) AS height, encode(c.hash, 'hex') AS hash,
        coalesce(c.sealed_transfers, 0) AS sealed_transfers, c.sealed_at
    FROM app.coin_ledgers AS l
    LEFT JOIN app.coin_chains AS c ON c.campaign_id = l.campaign_id
    WHERE l.campaign_id = :campaign_id
    """
)
_BLOCK = text(
    """
    SELECT campaign_id, height, encode(hash, 'hex') AS hash, sealed_transfers, sealed_at
    FROM app.coin_blocks WHERE campaign_id = :campaign_id AND height = :height
    """
)
_CHECK = text(
    "SELECT height, hash, sealed_transfers, sealed_at, wrong_blocks, altered_transfers, removed_transfers, "
    "unsealed_transfers, findings FROM app.coins_check_chain(:campaign_id, :findings_max)"
)
_LINES = text(
    "SELECT height, position, line FROM app.coins_export_chain"
    "(:campaign_id, :height_max, :after_height, :after_position, :lines_max)"
)


@dataclass(frozen=True)
class KeptHead:
    """A head that was kept outside the database: block `height` of a chain has this hash, in hexadecimal."""

    height: int
    hash: str

    @classmethod
    def parse(cls, written: str) -> Self:
        """Parse `HEIGHT:HASH`.

        Raises:
            InvalidHead: it has another format.
        """
        found = re.fullmatch(r"([0-9]{1,18}):([0-9a-fA-F]{64})", written.strip())
        if found is None:
            msg = "A head has the format HEIGHT:HASH: the number of a block, and its hash of 64 hexadecimal digits."
            raise errors.InvalidHead(msg)
        return cls(int(found[1]), found[2].lower())


@dataclass(frozen=True)
class ExportedPart:
    """A part of an export: lines that each end in a newline, and the progress in transfers."""

    lines: str
    transfers_done: int
    transfers_total: int


async def get_head(session: AsyncSession, campaign_id: UUID, height: int | None = None) -> ChainHead:
    """The head of a campaign's chain, or the block at `height` as if it were the head; 0 is before the first block.

    Raises:
        UnknownLedger: there is no campaign with this id.
        UnknownBlock: the chain has no block of this height.
    """
    row = (await session.execute(_HEAD, {"campaign_id": campaign_id})).one_or_none()
    if row is None:
        msg = "There is no ledger of a campaign with this id."
        raise errors.UnknownLedger(msg)
    if height == 0 or (height is None and row.height == 0):
        return ChainHead(campaign_id=campaign_id, height=0, hash=NO_HASH, sealed_transfers=0, sealed_at=None)
    if height is not None:
        highest = row.height
        row = (await session.execute(_BLOCK, {"campaign_id": campaign_id, "height": height})).one_or_none()
        if row is None:
            msg = f"The chain has no block {height}; its head is block {highest}."
            raise errors.UnknownBlock(msg, height=highest)
    return ChainHead.model_validate(row)


async def check_chain(session: AsyncSession, campaign_id: UUID, kept: KeptHead | None = None) -> ChainCheck:
    """Recompute a campaign's chain from its transfers, and check whether it contains a head that was kept elsewhere."""
    row = (await session.execute(_CHECK, {"campaign_id": campaign_id, "findings_max": FINDINGS_MAX})).one()
    has_kept_head: bool | None = None
    if kept is not None:
        try:
            has_kept_head = (await get_head(session, campaign_id, kept.height)).hash == kept.hash
        except errors.UnknownBlock:
            has_kept_head = False
    wrong = row.wrong_blocks + row.altered_transfers + row.removed_transfers + row.unsealed_transfers
    return ChainCheck(
        holds=wrong == 0 and has_kept_head is not False,
        height=row.height,
        hash=row.hash.hex(),
        sealed_transfers=row.sealed_transfers,
        sealed_at=row.sealed_at,
        has_kept_head=has_kept_head,
        wrong_blocks=row.wrong_blocks,
        altered_transfers=row.altered_transfers,
        removed_transfers=row.removed_transfers,
        unsealed_transfers=row.unsealed_transfers,
        findings=[ChainFinding.model_validate(finding) for finding in row.findings],
    )


async def export_chain(database: Database, head: ChainHead) -> AsyncIterator[ExportedPart]:
    """The chain up to `head` as JSON lines: a line with the head, then each block followed by its transfers.

    Each part is read in a read-only session of its own, so that a long export does not delay vacuum. Sealed rows never
    change, so the parts are consistent.
    """
    first = {"format": FORMAT, **head.model_dump(mode="json", exclude={"sealed_at"})}
    yield ExportedPart(orjson.dumps(first).decode() + "\n", 0, head.sealed_transfers)
    height = position = done = 0
    while True:
        async with database.snapshot() as session:
            rows = (
                await session.execute(
                    _LINES,
                    {
                        "campaign_id": head.campaign_id,
                        "height_max": head.height,
                        "after_height": height,
                        "after_position": position,
                        "lines_max": LINES_AT_ONCE,
                    },
                )
            ).all()
        if rows:
            height, position = rows[-1].height, rows[-1].position
            done += sum(row.position > 0 for row in rows)
            yield ExportedPart("".join(f"{row.line}\n" for row in rows), done, head.sealed_transfers)
        if len(rows) < LINES_AT_ONCE:
            return
