"""The figures of the small snapshot: definitions, and values computed from its other rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

from pipelines.wording import ELIGIBLE_NOT_KNOWN

Row = dict[str, Any]

_TAKE_PART = "Do people take part?"
_WORTH = "Are the ideas worth it?"
_STUCK = "What is stuck, what needs me?"
_RETURN = "What did it return?"
_TRUST = "Can I trust the coins?"
_IN_FILE = "not in the file"
_NOTHING = "nothing to count"

FIGURES: Final[tuple[Row, ...]] = tuple(
    {
        "figure": figure,
        "question": question,
        "question_order": (_TAKE_PART, _WORTH, _STUCK, _RETURN, _TRUST).index(question) + 1,
        "figure_order": order,
        "title": title,
        "unit": unit,
        "definition": definition,
        "better": better,
    }
    for order, (figure, question, title, unit, better, definition) in enumerate(
        (
            ("participation", _TAKE_PART, "Participation", "percent", "up",
             "Distinct members with a stake or an idea in the period, of the members at its end."),
            ("reach", _TAKE_PART, "Reach", "percent", "up", "Members, of the people who are eligible."),
            ("backed", _WORTH, "Backed ideas", "percent", "up",
             "Ideas with at least 5 backers or 2% of the participants, whichever is more, of the ideas approved."),
            ("overdue", _STUCK, "Overdue", "count", "down",
             "Ideas pending for more than 7 days, and accepted or in progress without a change for 30."),
            ("roi", _RETURN, "Return on investment", "percent", "up",
             "Realised value minus realised cost, divided by realised cost, for ideas that have both."),
            ("coverage", _RETURN, "Outcome known", "percent", "up", "Ideas with both, of ideas ever accepted."),
            ("delivery", _RETURN, "Value delivered", "percent", "up", "Realised, of expected value of the same ideas."),
            ("at_work", _TRUST, "Coins at work", "percent", "up", "Net coins staked before settlement, of coins granted."),
            ("breadth", _TRUST, "Breadth", "percent", "up",
             "Participants with a coin on an accepted idea, of the participants."),
            ("top_share", _TRUST, "Share of the top tenth", "percent", "none",
             "Coins on the top 10% of ideas, of all coins staked."),
            ("late_share", _TRUST, "Placed late", "percent", "none",
             "Coins placed in the last tenth of the window, of all coins placed."),
            ("difference", _TRUST, "Difference", "coins", "none",
             "Issued and carried in, minus wallets, held, stakes, expired and carried out; it must be 0."),
        ),
        start=1,
    )
)  # fmt: skip


def figures(campaigns: Iterable[Row], ideas: list[Row], roi: list[Row], until: date) -> list[Row]:
    """Figures of every campaign, and of the company's own campaigns together, for each period."""
    found: list[Row] = []
    own = [campaign for campaign in campaigns if campaign["origin"] == "native"]
    for campaign in campaigns:
        is_own = campaign["origin"] == "native"
        of_campaign = [row for row in ideas if row["campaign_id"] == campaign["campaign_id"]]
        outcomes = [row for row in roi if row["campaign_id"] == campaign["campaign_id"]]
        scope: Row = {"scope_kind": "campaign", "scope_id": campaign["campaign_id"]}
        found += _of_scope(scope, [campaign], of_campaign, outcomes, until, is_own=is_own)
    native = {campaign["campaign_id"] for campaign in own}
    found += _of_scope(
        {"scope_kind": "organisation", "scope_id": "organisation"},
        own,
        [row for row in ideas if row["campaign_id"] in native],
        [row for row in roi if row["campaign_id"] in native],
        until,
        is_own=True,
    )
    return found


def _of_scope(
    scope: Row, campaigns: list[Row], ideas: list[Row], roi: list[Row], until: date, *, is_own: bool
) -> list[Row]:
    month = timedelta(days=30)
    members = sum(campaign["members"] for campaign in campaigns)
    participants = sum(campaign["participants"] for campaign in campaigns)
    stated = [campaign for campaign in campaigns if campaign["eligible_people"]]
    eligible = sum(campaign["eligible_people"] for campaign in stated)
    granted = sum(campaign["members"] * campaign["coins_per_member"] for campaign in campaigns)
    coins = sorted((row["coins"] for row in ideas), reverse=True)
    top = sum(coins[: max(1, len(coins) // 10)])
    decided = any(row["status"] in ("accepted", "complete") for row in ideas)
    periods: list[tuple[str, date | None, date, float]] = [("to_date", None, until, 1.0)]
    if is_own:
        periods.append(("last_30_days", until - month, until, 0.4))
        periods.append(("previous_30_days", until - 2 * month, until - month, 0.3))
    found = []
    for period, starts_on, ends_on, share in periods:
        common = {**scope, "period": period, "period_starts_on": starts_on, "period_ends_on": ends_on}
        active = round(participants * share)
        readings: dict[str, Row] = {
            "participation": _ratio(active, members) if is_own else _unknown(_IN_FILE),
            "reach": {
                **_ratio(sum(campaign["members"] for campaign in stated), eligible),
                "coverage": len(stated) / len(campaigns),
            }
            if stated
            else _unknown(ELIGIBLE_NOT_KNOWN if is_own else _IN_FILE),
            "backed": _ratio(sum(row["is_backed"] for row in ideas), len(ideas)),
            "overdue": {"value": float(round(4 * share)), "numerator": round(4 * share), "coverage": 1.0},
            "at_work": _ratio(round(sum(coins) * share), granted),
            "breadth": _ratio(round(participants * 0.6), participants) if decided else _unknown("outcome unknown"),
            "top_share": _ratio(top, sum(coins)),
            "late_share": _ratio(round(sum(coins) * 0.2), sum(coins)) if is_own else _unknown(_IN_FILE),
            "difference": {"value": 0.0, "numerator": 0, "coverage": 1.0},
        }
        found += [{**common, "figure": figure, **reading} for figure, reading in readings.items()]
        if period == "to_date":
            found += [{**common, **reading} for reading in _returns(roi)]
    return found


def _returns(roi: list[Row]) -> list[Row]:
    accepted = [row for row in roi if row["was_accepted"]]
    known = [row for row in accepted if row["has_both"]]
    if not known:
        return [{"figure": name, **_unknown("outcome unknown")} for name in ("roi", "coverage", "delivery")]
    found: list[Row] = [{"figure": "coverage", **_ratio(len(known), len(accepted))}]
    for currency in sorted({row["currency"] for row in known}):
        rows = [row for row in known if row["currency"] == currency]
        cost, value = (sum(row[name] for row in rows) for name in ("realised_cost", "realised_value"))
        expected = sum(row["expected_value"] for row in rows)
        share = len(rows) / sum(row["currency"] == currency for row in accepted)
        found.append({"figure": "roi", "currency": currency, **_ratio(value - cost, cost), "coverage": share})
        found.append({"figure": "delivery", "currency": currency, **_ratio(value, expected), "coverage": share})
    return found


def _ratio(numerator: Any, denominator: Any) -> Row:
    if not denominator:
        return _unknown(_NOTHING)
    value = float(numerator) / float(denominator)
    return {"numerator": numerator, "denominator": denominator, "value": value, "coverage": 1.0}


def _unknown(reason: str) -> Row:
    return {"value": None, "unknown_reason": reason}
