"""Columns of the published marts, in their order."""

from __future__ import annotations

from typing import Final


def _columns(text: str) -> dict[str, str]:
    pairs = (part.split(maxsplit=1) for part in text.replace("\n", " ").split(";") if part.strip())
    return {name: kind.strip() for name, kind in pairs}


TABLES: Final[dict[str, dict[str, str]]] = {
    "dim_figures": _columns(
        "figure text; question text; question_order integer; figure_order integer; title text; unit text; "
        "definition text; better text"
    ),
    "fct_figures": _columns(
        "scope_kind text; scope_id text; period text; period_starts_on date; period_ends_on date; figure text; "
        "currency text; numerator numeric(18, 2); denominator numeric(18, 2); value double; coverage double; "
        "unknown_reason text"
    ),
    "dim_campaigns": _columns(
        "campaign_id text; slug text; title text; status text; origin text; is_mediated boolean; ballot_type text; "
        "country text; unit text; currency text; budget_amount numeric(18, 2); eligible_people integer; "
        "coins_per_member bigint; starts_at timestamptz; submissions_close_at timestamptz; ends_at timestamptz; "
        "activated_at timestamptz; completed_at timestamptz; created_at timestamptz; chain_height bigint; chain_hash text; "
        "chain_sealed_at timestamptz; members bigint; participants bigint; ideas bigint; "
        "accepted_ideas bigint; accepted_ideas_with_cost bigint; accepted_cost numeric(18, 2); has_times boolean; is_suppressed boolean"
    ),
    "dim_ideas": _columns(
        "idea_id text; campaign_id text; source_ref text; title text; status text; category text; tags text; "
        "author_id text; submitted_at timestamptz; approved_at timestamptz; decided_at timestamptz; "
        "status_changed_at timestamptz; coins bigint; backers bigint; rank_in_campaign bigint; is_backed boolean"
    ),
    "dim_members": _columns(
        "member_id text; campaign_id text; user_id text; role text; first_joined_at timestamptz; "
        "left_at timestamptz; is_current boolean; is_imported boolean; cohort_month date; granted_coins bigint; "
        "staked_coins bigint; ideas_backed bigint; ideas_submitted bigint; is_participant boolean"
    ),
    "fct_participation_by_group": _columns(
        "campaign_id text; attribute text; group_name text; members bigint; participants bigint; coins bigint; "
        "is_suppressed boolean"
    ),
    "fct_allocations": _columns(
        "transfer_id text; campaign_id text; idea_id text; user_id text; kind text; coins bigint; "
        "effective_at timestamptz; effective_on date; is_settlement boolean; settlement text"
    ),
    "fct_coin_conservation": _columns(
        "campaign_id text; is_balanced boolean; issued_coins bigint; carried_in_coins bigint; wallet_coins bigint; held_coins bigint; "
        "staked_coins bigint; expired_coins bigint; carried_out_coins bigint; difference_coins bigint; "
        "wrong_balances bigint; unbalanced_transfers bigint"
    ),
    "fct_member_activity": _columns(
        "campaign_id text; user_id text; activity_on date; allocations bigint; coins_placed bigint; "
        "coins_taken_back bigint; ideas_submitted bigint"
    ),
    "fct_idea_status": _columns(
        "idea_id text; campaign_id text; status text; entered_at timestamptz; left_at timestamptz; "
        "is_current boolean; is_final boolean"
    ),
    "fct_campaign_engagement_daily": _columns(
        "campaign_id text; day date; active_members bigint; coins_placed bigint; coins_taken_back bigint; "
        "coins_returned bigint; coins_net bigint; coins_at_work bigint; ideas_submitted bigint; members_joined bigint; "
        "members_left bigint; members bigint"
    ),
    "fct_idea_roi": _columns(
        "idea_id text; campaign_id text; status text; currency text; expected_cost numeric(18, 2); "
        "realised_cost numeric(18, 2); expected_value numeric(18, 2); realised_value numeric(18, 2); "
        "has_both boolean; roi double; as_of date; was_accepted boolean"
    ),
    "fct_member_cohorts": _columns(
        "cohort_month date; months_since integer; members bigint; active_members bigint; retention double"
    ),
}
