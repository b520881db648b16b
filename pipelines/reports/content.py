"""The content of a report, read from one snapshot. The PDF and the workbook use nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from pipelines import marts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.marts import Campaign, Figure, Marts, Refusal, Snapshot

ACCEPTED: Final = frozenset({"accepted", "in_progress", "complete", "stopped"})
"""Statuses of ideas that have been accepted."""


class UnknownCampaign(Exception):
    """The snapshot has no campaign with that slug; the message lists its campaigns."""

    def __init__(self, slug: str, slugs: tuple[str, ...], snapshot_id: str) -> None:
        """`slugs` are the campaigns that the reader may see."""
        listed = "\n".join(f"  {known}" for known in slugs) or "  (none)"
        super().__init__(f"No campaign {slug!r} in snapshot {snapshot_id}. It contains:\n{listed}")
        self.slug = slug
        self.slugs = slugs
        self.snapshot_id = snapshot_id


@dataclass(frozen=True, slots=True)
class Content:
    """A campaign as of a snapshot. Frames have the columns of the reader's methods of the same names.

    Coins are whole coins, money is Decimal in the row's currency, times are in UTC. `recent` are the figures of the
    last 30 days with those of the 30 days before; it is empty for an imported election, whose file has no times.
    `refusal` is set if newer data was refused.
    """

    snapshot: Snapshot
    campaign: Campaign
    to_date: tuple[Figure, ...]
    recent: tuple[Figure, ...]
    ideas: pl.DataFrame
    days: pl.DataFrame
    groups: pl.DataFrame
    conservation: Mapping[str, Any] | None
    roi: pl.DataFrame
    refusal: Refusal | None

    @property
    def people(self) -> str:
        """What the people of this campaign are called: an election's file contains only voters."""
        return "voters" if self.campaign.is_imported else "members"

    @property
    def outcome_is_known(self) -> bool:
        """Whether it is known which ideas were accepted (an election's file may omit it)."""
        return not self.campaign.is_imported or any(
            status in ACCEPTED or status == "not_selected" for status in self.ideas["status"]
        )

    @property
    def coins_on_ideas(self) -> int:
        """Coins on all ideas, each just before its settlement."""
        return int(self.ideas["coins"].sum() or 0)

    def figures(self, name: str) -> tuple[Figure, ...]:
        """The figures to date with this name: one, or one per currency; empty if the snapshot has none."""
        return tuple(figure for figure in self.to_date if figure.name == name)

    def recently(self, figure: Figure) -> Figure | None:
        """The figure of the last 30 days with the name and currency of a figure to date."""
        for recent in self.recent:
            if (recent.name, recent.currency) == (figure.name, figure.currency):
                return recent
        return None


def read_content(reader: Marts, slug: str) -> Content:
    """Everything that a report of the campaign shows. `slug` may also be the campaign's id.

    Raises:
        UnknownCampaign: the reader's snapshot and scope contain no such campaign.
    """
    try:
        campaign = reader.campaign(slug)
    except marts.UnknownCampaign as error:
        slugs = tuple(known.slug for known in reader.campaigns())
        raise UnknownCampaign(slug, slugs, reader.snapshot().id) from error
    rows = reader.conservation().filter(pl.col("campaign_id") == campaign.campaign_id).to_dicts()
    return Content(
        snapshot=reader.snapshot(),
        campaign=campaign,
        to_date=reader.figures(campaign.campaign_id),
        recent=reader.figures(campaign.campaign_id, marts.Period.LAST_30_DAYS) if campaign.has_times else (),
        ideas=reader.ideas(campaign.campaign_id),
        days=reader.coins_over_time(campaign.campaign_id),
        groups=reader.participation_by_group(campaign.campaign_id),
        conservation=rows[0] if rows else None,
        roi=reader.roi(campaign.campaign_id),
        refusal=reader.refusal(),
    )
