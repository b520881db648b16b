"""Queries on one snapshot, within one scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from pipelines.marts.connections import attach, restrict
from pipelines.marts.records import Campaign, Figure, Measure, Period, Snapshot
from pipelines.marts.refusals import Refusal, find_refusal
from pipelines.marts.scopes import Scope
from pipelines.marts.snapshots import OutOfScope, UnknownCampaign

_ORGANISATION: Final = "organisation"


@contextmanager
def open_snapshot(source: Path | Snapshot, scope: Scope) -> Iterator[Marts]:
    """Open the newest snapshot under a data folder, or the given one, for reading within `scope` until the block ends.

    Raises:
        NoSnapshot: nothing is published, or the given snapshot was removed.
    """
    connection, snapshot = attach(source)
    try:
        restrict(connection, scope)
        yield Marts(connection, snapshot, scope)
    finally:
        connection.close()


class Marts:
    """Queries on one snapshot. Created by :func:`open_snapshot`; not thread-safe."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, scope: Scope) -> None:
        self._connection = connection
        self._snapshot = snapshot
        self._scope = scope

    def snapshot(self) -> Snapshot:
        """The snapshot that is open."""
        return self._snapshot

    def refusal(self) -> Refusal | None:
        """The record that data newer than the snapshot was refused, with the reasons within the scope."""
        refusal = find_refusal(self._snapshot.exports_dir)
        return refusal and refusal.within(self._scope, () if self._scope.sees_all else self.campaigns())

    def campaigns(self) -> tuple[Campaign, ...]:
        """Every campaign of the scope: the organisation's own, then imported ones, each newest first."""
        rows = self._rows(
            f"SELECT {', '.join(Campaign.__dataclass_fields__)} FROM dim_campaigns "  # noqa: S608 - our own field names
            "ORDER BY origin = 'imported', coalesce(activated_at, starts_at, ends_at, created_at) DESC, slug"
        )
        return tuple(Campaign(**row) for row in rows)

    def campaign(self, slug_or_id: str) -> Campaign:
        """One campaign.

        Raises:
            UnknownCampaign: it does not exist, or it is outside the scope (the error is the same).
        """
        for campaign in self.campaigns():
            if slug_or_id in (campaign.slug, campaign.campaign_id):
                return campaign
        msg = f"no campaign {slug_or_id!r} in snapshot {self._snapshot.id}"
        raise UnknownCampaign(msg)

    def figures(self, campaign_id: str | None, period: Period = Period.TO_DATE) -> tuple[Figure, ...]:
        """The figures of a campaign or, with None, of all the organisation's own campaigns together, in display order.

        A figure in money, and the organisation's ROI, has one entry per currency. `before` is set for
        `Period.LAST_30_DAYS` only.

        Raises:
            OutOfScope: the organisation's figures are requested, and the scope does not contain all campaigns.
        """
        if campaign_id is None:
            self._require_all("the organisation's figures")
        scope_kind, scope_id = ("campaign", campaign_id) if campaign_id else (_ORGANISATION, _ORGANISATION)
        rows = self._rows(
            """
            SELECT d.figure, d.question, d.question_order, d.figure_order, d.title, d.unit, d.definition, d.better,
                f.currency, f.period, f.period_starts_on, f.period_ends_on, f.numerator::double AS numerator,
                f.denominator::double AS denominator, f.value, f.coverage, f.unknown_reason
            FROM fct_figures AS f JOIN dim_figures AS d USING (figure)
            WHERE f.scope_kind = $scope_kind AND f.scope_id = $scope_id AND f.period IN ($period, $before)
            ORDER BY d.question_order, d.figure_order, f.currency NULLS FIRST
            """,
            {"scope_kind": scope_kind, "scope_id": scope_id, "period": period, "before": period.before or ""},
        )
        earlier = {(row["figure"], row["currency"]): _measure(row) for row in rows if row["period"] == period.before}
        return tuple(
            _figure(row, period, earlier.get((row["figure"], row["currency"])))
            for row in rows
            if row["period"] == period
        )

    def ideas(self, campaign_id: str) -> pl.DataFrame:
        """A campaign's ideas by rank.

        Columns: rank_in_campaign, idea_id, source_ref, title, status, category, tags, coins, backers, is_backed,
        submitted_at, decided_at.

        `backers` is null if there are too few. In a suppressed campaign `rank_in_campaign` and `coins` are null too.
        """
        return self._frame(
            """
            SELECT rank_in_campaign, idea_id, source_ref, title, status, category, tags, coins, backers, is_backed,
                submitted_at, decided_at
            FROM dim_ideas WHERE campaign_id = $campaign_id
            ORDER BY rank_in_campaign NULLS LAST, coins DESC, title, idea_id
            """,
            {"campaign_id": campaign_id},
        )

    def coins_over_time(self, campaign_id: str) -> pl.DataFrame:
        """A row per day: day, coins_placed, coins_taken_back, coins_net, coins_at_work (running), active_members, members.

        Empty for an imported election, whose file has no times, and for a suppressed campaign. Numbers of too few people
        are null, and so are the coins of a day with too few members.
        """
        return self._frame(
            """
            SELECT e.day, e.coins_placed, e.coins_taken_back, e.coins_net, e.coins_at_work, e.active_members, e.members
            FROM fct_campaign_engagement_daily AS e JOIN dim_campaigns AS c USING (campaign_id)
            WHERE e.campaign_id = $campaign_id AND c.has_times
            ORDER BY e.day
            """,
            {"campaign_id": campaign_id},
        )

    def participation_by_group(self, campaign_id: str) -> pl.DataFrame:
        """A row per attribute and group, ages from young to old.

        Columns: attribute (age_band, sex, district, department, voting_method), group_name, members, participants,
        coins, is_suppressed.

        Figures of suppressed groups are null. An attribute without data in the campaign has no row, and a suppressed
        campaign has none.
        """
        return self._frame(
            """
            SELECT attribute, group_name, members, participants, coins, is_suppressed
            FROM fct_participation_by_group WHERE campaign_id = $campaign_id
            ORDER BY attribute, group_name = 'not stated', CASE WHEN group_name LIKE 'under %' THEN 0
                ELSE try_cast(regexp_extract(group_name, '^[0-9]+') AS integer) END NULLS LAST, group_name
            """,
            {"campaign_id": campaign_id},
        )

    def conservation(self) -> pl.DataFrame:
        """A row per campaign of the scope; campaigns whose coins do not add up come first.

        Columns: campaign_id, slug, title, origin, status, is_suppressed, is_balanced, issued_coins, carried_in_coins,
        wallet_coins, held_coins, staked_coins, expired_coins, carried_out_coins, difference_coins, wrong_balances,
        unbalanced_transfers. The campaign `is_balanced` when the last three are 0. For a suppressed campaign all numbers
        are null.
        """
        return self._frame(
            """
            SELECT c.campaign_id, c.slug, c.title, c.origin, c.status, c.is_suppressed, f.is_balanced, f.issued_coins, f.carried_in_coins,
                f.wallet_coins, f.held_coins, f.staked_coins, f.expired_coins, f.carried_out_coins, f.difference_coins,
                f.wrong_balances, f.unbalanced_transfers
            FROM fct_coin_conservation AS f JOIN dim_campaigns AS c USING (campaign_id)
            ORDER BY f.is_balanced, c.origin = 'imported', c.title, c.slug
            """
        )

    def cohorts(self) -> pl.DataFrame:
        """A row per cohort and month since joining: cohort_month, months_since, members, active_members, retention.

        The numbers of hidden cohorts are null; `active_members` and `retention` are also null when too few were active.

        Raises:
            OutOfScope: the scope does not contain all campaigns, which cohorts are computed from.
        """
        self._require_all("cohorts")
        return self._frame(
            """
            SELECT cohort_month, months_since, members, active_members, retention
            FROM fct_member_cohorts ORDER BY cohort_month, months_since
            """
        )

    def roi(self, campaign_id: str | None, *, include_imported: bool = False) -> pl.DataFrame:
        """A row per idea with a valuation.

        Columns: campaign_id, campaign (its title), idea_id, title, status, currency, expected_cost, realised_cost,
        expected_value, realised_value, has_both, roi (fraction), as_of, was_accepted.
        `campaign_id` None selects every campaign of the scope, imported ones only with `include_imported`.
        """
        return self._frame(
            """
            SELECT r.campaign_id, c.title AS campaign, r.idea_id, i.title, r.status, r.currency, r.expected_cost,
                r.realised_cost, r.expected_value, r.realised_value, r.has_both, r.roi, r.as_of, r.was_accepted
            FROM fct_idea_roi AS r
            JOIN dim_ideas AS i ON i.idea_id = r.idea_id
            JOIN dim_campaigns AS c ON c.campaign_id = r.campaign_id
            WHERE r.currency IS NOT NULL AND CASE WHEN $campaign_id::text IS NULL THEN c.origin = 'native' OR $include_imported
                ELSE r.campaign_id = $campaign_id END
            ORDER BY r.currency, r.has_both DESC, r.roi DESC NULLS LAST, i.title, r.idea_id
            """,
            {"campaign_id": campaign_id, "include_imported": include_imported},
        )

    def _require_all(self, what: str) -> None:
        if not self._scope.sees_all:
            msg = f"{what} span campaigns outside the reader's scope"
            raise OutOfScope(msg)

    def _frame(self, query: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
        frame: pl.DataFrame = self._connection.sql(query, params=dict(parameters or {})).pl()
        return frame

    def _rows(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return self._frame(query, parameters).to_dicts()


def _measure(row: Mapping[str, Any]) -> Measure:
    return Measure(
        starts_on=row["period_starts_on"],
        ends_on=row["period_ends_on"],
        numerator=row["numerator"],
        denominator=row["denominator"],
        value=row["value"],
        coverage=row["coverage"],
        unknown_reason=row["unknown_reason"],
    )


def _figure(row: Mapping[str, Any], period: Period, before: Measure | None) -> Figure:
    return Figure(
        name=row["figure"],
        question=row["question"],
        question_order=row["question_order"],
        figure_order=row["figure_order"],
        title=row["title"],
        unit=row["unit"],
        definition=row["definition"],
        better=row["better"],
        currency=row["currency"],
        period=period,
        now=_measure(row),
        before=before,
    )
