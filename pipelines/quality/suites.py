"""The expectations that a snapshot must meet, by their names in Great Expectations, whose import takes 6 s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.marts import GROUP_SIZE_MIN


@dataclass(frozen=True)
class Suite:
    """Expectations of one data frame, read by `query` from the DuckDB file; each is a class name and its arguments.

    A failure names the rows by the columns `keys`.
    The folder's other files are available as tables: `manifest` (table, rows, sha256) and `parquet` (table, rows, sha256).
    """

    name: str
    description: str
    query: str
    keys: tuple[str, ...]
    expectations: tuple[tuple[str, dict[str, Any]], ...]


def _unique(column: str) -> tuple[str, dict[str, Any]]:
    return ("ExpectColumnValuesToBeUnique", {"column": column})


def _known(*columns: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    return tuple(("ExpectColumnValuesToNotBeNull", {"column": column}) for column in columns)


def _between(column: str, least: float, most: float | None = None) -> tuple[str, dict[str, Any]]:
    return ("ExpectColumnValuesToBeBetween", {"column": column, "min_value": least, "max_value": most})


def _in(column: str, *values: object) -> tuple[str, dict[str, Any]]:
    return ("ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)})


def _equal(one: str, other: str) -> tuple[str, dict[str, Any]]:
    return ("ExpectColumnPairValuesToBeEqual", {"column_A": one, "column_B": other, "ignore_row_if": "neither"})


SUITES = (
    Suite(
        "conservation",
        "All coins of every campaign are accounted for.",
        "SELECT v.campaign_id, c.slug, v.is_balanced, v.difference_coins, v.wrong_balances, v.unbalanced_transfers, "
        "CASE WHEN c.is_suppressed THEN 0 ELSE v.issued_coins + v.carried_in_coins END AS made_coins, "
        "CASE WHEN c.is_suppressed THEN 0 ELSE v.wallet_coins + v.held_coins + v.staked_coins + "
        "v.expired_coins + v.carried_out_coins END AS found_coins "
        "FROM fct_coin_conservation AS v LEFT JOIN dim_campaigns AS c ON c.campaign_id = v.campaign_id",
        ("slug",),
        (
            _unique("campaign_id"),
            *_known("is_balanced"),
            _in("is_balanced", True),
            _in("difference_coins", 0),
            _in("wrong_balances", 0),
            _in("unbalanced_transfers", 0),
            _equal("made_coins", "found_coins"),
        ),
    ),
    Suite(
        "files",
        "In the DuckDB file and in Parquet each table has the number of rows in the manifest; the Parquet file has its hash.",
        "SELECT m.table_name, m.rows AS manifest_rows, d.rows AS duckdb_rows, p.rows AS parquet_rows, "
        "m.sha256 AS manifest_sha256, p.sha256 AS parquet_sha256 FROM manifest AS m "
        "FULL JOIN parquet AS p ON p.table_name = m.table_name FULL JOIN duckdb AS d ON d.table_name = m.table_name",
        ("table_name",),
        (
            ("ExpectTableRowCountToBeBetween", {"min_value": 1}),
            *_known("table_name", "duckdb_rows", "parquet_rows"),
            _equal("manifest_rows", "duckdb_rows"),
            _equal("manifest_rows", "parquet_rows"),
            _equal("manifest_sha256", "parquet_sha256"),
        ),
    ),
    Suite(
        "campaigns",
        "Every campaign has a row in the conservation statement, and no negative counts.",
        "SELECT c.campaign_id, c.slug, c.title, c.origin, c.members, c.participants, c.ideas, v.campaign_id AS verified_id "
        "FROM dim_campaigns AS c LEFT JOIN fct_coin_conservation AS v ON v.campaign_id = c.campaign_id",
        ("slug",),
        (
            _unique("campaign_id"),
            _unique("slug"),
            *_known("campaign_id", "slug", "title", "verified_id"),
            _in("origin", "native", "imported"),
            _between("members", 0),
            _between("participants", 0),
            _between("ideas", 0),
        ),
    ),
    Suite(
        "ideas",
        "An idea's coins are the sum of its allocations before settlement, and it has exactly one current status.",
        "SELECT i.idea_id, i.campaign_id, i.title, i.backers, "
        "CASE WHEN c.is_suppressed THEN 0 ELSE i.coins END AS coins, coalesce(a.coins, 0) AS allocated_coins, "
        "coalesce(s.present, 0) AS present_statuses, i.status, s.status AS present_status FROM dim_ideas AS i "
        "JOIN dim_campaigns AS c ON c.campaign_id = i.campaign_id LEFT JOIN (SELECT idea_id, sum(coins) AS coins FROM fct_allocations WHERE NOT is_settlement GROUP BY idea_id) AS a "
        "ON a.idea_id = i.idea_id LEFT JOIN (SELECT idea_id, count(*) AS present, max(status) AS status "
        "FROM fct_idea_status WHERE is_current GROUP BY idea_id) AS s ON s.idea_id = i.idea_id",
        ("campaign_id", "idea_id"),
        (
            _unique("idea_id"),
            *_known("campaign_id", "title"),
            _between("coins", 0),
            _between("backers", 0),
            _equal("coins", "allocated_coins"),
            _in("present_statuses", 1),
            _equal("status", "present_status"),
        ),
    ),
    Suite(
        "members",
        "A member's stakes do not exceed the grant, and are the sum of the member's allocations.",
        "SELECT m.member_id, m.campaign_id, m.user_id, m.granted_coins - m.staked_coins AS unstaked_coins, m.staked_coins, "
        "coalesce(a.coins, 0) AS allocated_coins FROM dim_members AS m LEFT JOIN (SELECT campaign_id, user_id, "
        "sum(coins) AS coins FROM fct_allocations WHERE settlement IS NULL OR settlement = 'return' GROUP BY campaign_id, user_id) AS a "
        "ON a.campaign_id = m.campaign_id AND a.user_id = m.user_id",
        ("campaign_id", "member_id"),
        (
            _unique("member_id"),
            *_known("user_id"),
            _between("unstaked_coins", 0),
            _between("staked_coins", 0),
            _equal("staked_coins", "allocated_coins"),
        ),
    ),
    Suite(
        "agreement",
        "Conservation, allocations and figures of a campaign are of one state. Coins move between the two statements that "
        "build conservation and allocations, so these are compared for imported elections only.",
        "WITH allocations AS (SELECT campaign_id, sum(coins) AS coins, sum(coins) FILTER (WHERE settlement IS NULL "
        "OR settlement = 'return') AS kept_coins FROM fct_allocations GROUP BY campaign_id), "
        "figures AS (SELECT scope_id, max(numerator) FILTER (WHERE figure = 'difference') AS difference_coins, "
        "max(denominator) FILTER (WHERE figure = 'difference') AS made_coins, "
        "max(numerator) FILTER (WHERE figure = 'at_work') AS at_work_coins "
        "FROM fct_figures WHERE scope_kind = 'campaign' AND period = 'to_date' AND unknown_reason IS NULL GROUP BY scope_id) "
        "SELECT c.slug, v.staked_coins, CASE WHEN c.origin = 'imported' THEN coalesce(a.coins, 0) ELSE v.staked_coins END "
        "AS allocated_coins, v.difference_coins, coalesce(f.difference_coins, v.difference_coins) AS figure_difference_coins, "
        "v.issued_coins + v.carried_in_coins AS made_coins, coalesce(f.made_coins, v.issued_coins + v.carried_in_coins) "
        "AS figure_made_coins, coalesce(a.kept_coins, 0) AS kept_coins, "
        "coalesce(f.at_work_coins, a.kept_coins, 0) AS figure_at_work_coins "
        "FROM fct_coin_conservation AS v JOIN dim_campaigns AS c ON c.campaign_id = v.campaign_id "
        "LEFT JOIN allocations AS a ON a.campaign_id = v.campaign_id LEFT JOIN figures AS f ON f.scope_id = v.campaign_id "
        "WHERE NOT c.is_suppressed",
        ("slug",),
        (
            _equal("staked_coins", "allocated_coins"),
            _equal("difference_coins", "figure_difference_coins"),
            _equal("made_coins", "figure_made_coins"),
            _equal("kept_coins", "figure_at_work_coins"),
        ),
    ),
    Suite(
        "figures",
        "Each figure has either a value or the reason why it has none; shares are between 0 and 1.",
        "SELECT scope_id, period, figure, coverage, (value IS NULL) <> (unknown_reason IS NULL) AS has_value_or_reason, "
        "CASE WHEN figure IN ('participation', 'reach', 'backed', 'coverage', 'at_work', 'breadth', 'top_share', 'late_share') "
        "THEN value END AS share FROM fct_figures",
        ("scope_id", "period", "figure"),
        (
            *_known("scope_id", "period", "figure"),
            _in("has_value_or_reason", True),
            _between("share", 0, 1),
            _between("coverage", 0, 1),
        ),
    ),
    Suite(
        "small_groups",
        f"No group of fewer than {GROUP_SIZE_MIN} people is shown, and neither coins nor people of a suppressed campaign.",
        "WITH suppressed AS (SELECT campaign_id FROM dim_campaigns WHERE is_suppressed) "
        "SELECT attribute AS place, CASE WHEN NOT is_suppressed THEN members END AS members, CASE WHEN is_suppressed THEN "
        "coalesce(members, participants, coins) END AS hidden FROM fct_participation_by_group "
        "UNION ALL SELECT 'cohorts', members, CASE WHEN members IS NULL THEN active_members END FROM fct_member_cohorts "
        "UNION ALL SELECT 'active in cohorts', nullif(active_members, 0), NULL FROM fct_member_cohorts "
        "UNION ALL SELECT 'members', nullif(members, 0), NULL FROM dim_campaigns "
        "UNION ALL SELECT 'participants', nullif(participants, 0), NULL FROM dim_campaigns "
        "UNION ALL SELECT 'backers', nullif(backers, 0), NULL FROM dim_ideas "
        "UNION ALL SELECT 'active on a day', nullif(active_members, 0), NULL FROM fct_campaign_engagement_daily "
        "UNION ALL SELECT 'members on a day', nullif(members, 0), NULL FROM fct_campaign_engagement_daily "
        "UNION ALL SELECT 'ideas', NULL, coalesce(coins, backers, rank_in_campaign) FROM dim_ideas SEMI JOIN suppressed "
        "USING (campaign_id) "
        "UNION ALL SELECT 'conservation', NULL, coalesce(issued_coins, carried_in_coins, wallet_coins, held_coins, "
        "staked_coins, expired_coins, carried_out_coins, difference_coins, wrong_balances, unbalanced_transfers) "
        "FROM fct_coin_conservation SEMI JOIN suppressed USING (campaign_id) "
        "UNION ALL SELECT 'figures', NULL, f.value FROM fct_figures AS f JOIN suppressed AS s ON f.scope_id = s.campaign_id "
        "WHERE f.period <> 'previous_30_days' AND f.figure IN ('at_work', 'top_share', 'late_share', 'difference') "
        "UNION ALL SELECT 'member rows', NULL, 1 FROM dim_members SEMI JOIN suppressed USING (campaign_id) "
        "UNION ALL SELECT 'allocations', NULL, 1 FROM fct_allocations SEMI JOIN suppressed USING (campaign_id) "
        "UNION ALL SELECT 'activity', NULL, 1 FROM fct_member_activity SEMI JOIN suppressed USING (campaign_id) "
        "UNION ALL SELECT 'days', NULL, 1 FROM fct_campaign_engagement_daily SEMI JOIN suppressed USING (campaign_id)",
        ("place",),
        (_between("members", GROUP_SIZE_MIN), ("ExpectColumnValuesToBeNull", {"column": "hidden"})),
    ),
)
