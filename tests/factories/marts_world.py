"""The rows of the small snapshot: four campaigns of a company and two imported elections, from a fixed seed."""

from __future__ import annotations

import hashlib
import random
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

from pipelines.marts import GROUP_SIZE_MIN
from pipelines.wording import FEWER_PEOPLE
from tests.factories.marts_figures import FIGURES, Row, figures

NOW: Final = datetime(2026, 6, 30, tzinfo=UTC)
COINS: Final = 100
HOSTILE_TITLE: Final = (
    '=1+1 <b>bold</b> <a href="https://evil.example">click</a> [link](https://evil.example) $x$ :red[r]'
)
LONG_TITLE: Final = (
    "A quiet room on every floor, with a door that closes, a desk that rises, " + "a window, " * 10 + "and a plant"
)

# slug, title, status, origin, months ago, members, eligible people, currency, ideas, statuses of the ideas in turn
_CAMPAIGNS: Final = (
    ("greener-offices", "Greener offices", "completed", "native", 9, 60, 80, "EUR", 12,
     ("complete", "complete", "stopped", "not_selected", "not_selected", "rejected")),
    ("faster-deliveries", "Faster deliveries", "active", "native", 6, 45, 60, "PLN", 10,
     ("accepted", "in_progress", "complete", "competing")),
    ("safer-warehouses", "Safer warehouses", "active", "native", 2, 30, None, "EUR", 9, ("competing", "pending")),
    ("tools-we-miss", "Tools we miss · 工具 · أدوات", "active", "native", 1, 40, 80, None, 11, ("competing",)),
    ("lodz-2020", "Łódź 2020", "completed", "imported", 70, 120, None, "PLN", 14, ("accepted", "not_selected")),
    ("toulouse-2019", "Toulouse 2019", "completed", "imported", 84, 70, None, "EUR", 8, ("outcome_unknown",)),
)  # fmt: skip
_DEPARTMENTS: Final = ("Operations",) * 10 + ("Sales",) * 6 + ("Engineering",) * 5 + ("Finance",) * 2 + ("Legal",)
_AGES: Final = ("18-29", "30-44", "45-59", "60+")


@cache
def rows() -> dict[str, list[Row]]:
    """Every table's rows."""
    world = _World()
    for number, campaign in enumerate(_CAMPAIGNS):
        world.add(number, *campaign)
    tables = world.tables
    tables["dim_figures"] = list(FIGURES)
    tables["fct_figures"] = figures(tables["dim_campaigns"], tables["dim_ideas"], tables["fct_idea_roi"], NOW.date())
    tables["fct_member_cohorts"] = _cohorts()
    return tables


def campaign_id(slug: str) -> str:
    """The id of one of the snapshot's campaigns."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"campaign/{slug}"))


class _World:
    def __init__(self) -> None:
        self.chance = random.Random(20260630)
        names = (
            "dim_campaigns", "dim_ideas", "dim_members", "fct_participation_by_group", "fct_allocations",
            "fct_coin_conservation", "fct_member_activity", "fct_idea_status", "fct_campaign_engagement_daily",
            "fct_idea_roi",
        )  # fmt: skip
        self.tables: dict[str, list[Row]] = {name: [] for name in names}

    def add(
        self, number: int, slug: str, title: str, status: str, origin: str, months: int, members: int,
        eligible: int | None, currency: str | None, ideas: int, statuses: tuple[str, ...],
    ) -> None:  # fmt: skip
        is_own = origin == "native"
        campaign = campaign_id(slug)
        starts_at = NOW - timedelta(days=30 * months)
        ends_at = starts_at + timedelta(days=60)
        people = [str(uuid.uuid5(uuid.NAMESPACE_URL, f"user/{0 if is_own else number}/{n}")) for n in range(members)]
        idea_ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, f"idea/{slug}/{n}")) for n in range(ideas)]
        placed: list[Row] = []
        for n, person in enumerate(people):
            if n % 5 == 4:
                continue
            left = COINS
            for choice in self.chance.sample(range(ideas), k=min(3, ideas)):
                coins = self.chance.randint(1, left) if choice % 3 else min(left, 30)
                at = starts_at + timedelta(days=self.chance.randint(0, 50 if months > 1 else 25), hours=9)
                placed.append(self._allocation(campaign, idea_ids[choice], person, coins, at if is_own else ends_at))
                left -= coins
                if left <= 0:
                    break
        self.tables["fct_allocations"] += placed
        participants = {row["user_id"] for row in placed}
        self._ideas(campaign, idea_ids, placed, statuses, starts_at, currency, number, is_own=is_own)
        staked = sum(row["coins"] for row in placed)
        spent = sum(
            row["coins"] for row in self.tables["dim_ideas"]
            if row["campaign_id"] == campaign and row["status"] not in ("competing", "pending")
        )  # fmt: skip
        issued = members * COINS
        self.tables["fct_coin_conservation"].append({
            "campaign_id": campaign, "is_balanced": True, "issued_coins": issued, "carried_in_coins": 0, "wallet_coins": issued - staked,
            "held_coins": 0, "staked_coins": staked - spent, "expired_coins": spent, "carried_out_coins": 0,
            "difference_coins": 0, "wrong_balances": 0, "unbalanced_transfers": 0,
        })  # fmt: skip
        self.tables["dim_campaigns"].append({
            "campaign_id": campaign, "slug": slug, "title": title, "status": status, "origin": origin,
            "is_mediated": slug == "safer-warehouses", "ballot_type": None if is_own else "cumulative",
            "country": None if is_own else title.split(maxsplit=1)[0], "unit": None if is_own else title, "currency": currency,
            "budget_amount": Decimal(500_000) if currency else None, "eligible_people": eligible,
            "coins_per_member": COINS, "starts_at": starts_at if is_own else None,
            "submissions_close_at": None, "ends_at": ends_at, "activated_at": starts_at if is_own else None,
            "completed_at": ends_at if status == "completed" else None, "created_at": starts_at, "members": members,
            "chain_height": 7 + number, "chain_hash": hashlib.sha256(slug.encode()).hexdigest(), "chain_sealed_at": NOW,
            "participants": len(participants), "ideas": ideas, **self._result(campaign), "has_times": is_own,
            "is_suppressed": False,
        })  # fmt: skip
        self._members(campaign, people, placed, starts_at, is_own=is_own)
        self._groups(campaign, people, placed, is_own=is_own)
        if is_own:
            self._days(campaign, placed, starts_at.date(), members)

    def _result(self, campaign: str) -> Row:
        """The accepted ideas of a campaign, and their expected costs in its currency; those of an election cost 9,000 each."""
        ideas = [row for row in self.tables["dim_ideas"] if row["campaign_id"] == campaign]
        if any(row["status"] == "outcome_unknown" for row in ideas):
            return {"accepted_ideas": None, "accepted_ideas_with_cost": None, "accepted_cost": None}
        accepted = [row for row in ideas if row["status"] in ("accepted", "in_progress", "complete", "stopped")]
        costs = [
            row["expected_cost"] for row in self.tables["fct_idea_roi"]
            if row["campaign_id"] == campaign and row["currency"] != "USD"
        ] or [Decimal(9_000) for row in accepted if row["source_ref"]]  # fmt: skip
        return {
            "accepted_ideas": len(accepted), "accepted_ideas_with_cost": len(costs), "accepted_cost": sum(costs) or None,
        }  # fmt: skip

    def _allocation(self, campaign: str, idea: str, person: str, coins: int, at: datetime) -> Row:
        transfer = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        return {
            "transfer_id": transfer, "campaign_id": campaign, "idea_id": idea, "user_id": person, "kind": "allocate",
            "coins": coins, "effective_at": at, "effective_on": at.date(), "is_settlement": False,
        }  # fmt: skip

    def _ideas(
        self, campaign: str, ids: list[str], placed: list[Row], statuses: tuple[str, ...], starts_at: datetime,
        currency: str | None, number: int, *, is_own: bool,
    ) -> None:  # fmt: skip
        totals = {idea: sum(row["coins"] for row in placed if row["idea_id"] == idea) for idea in ids}
        ranked = sorted(ids, key=lambda idea: -totals[idea])
        for n, idea in enumerate(ids):
            backers = len({row["user_id"] for row in placed if row["idea_id"] == idea})
            status = statuses[n % len(statuses)]
            title = {(0, 1): HOSTILE_TITLE, (0, 2): LONG_TITLE}.get(
                (number, n), f"Idea {n + 1} of campaign {number + 1}"
            )
            at = starts_at + timedelta(days=n % 7)
            decided_at = at + timedelta(days=30) if status not in ("competing", "pending") and is_own else None
            self.tables["dim_ideas"].append({
                "idea_id": idea, "campaign_id": campaign, "source_ref": None if is_own else str(n + 1), "title": title,
                "status": status, "category": ("environment", "transport", None)[n % 3], "tags": None,
                "author_id": None, "submitted_at": at if is_own else None, "approved_at": at if is_own else None,
                "decided_at": decided_at, "status_changed_at": decided_at or at, "coins": totals[idea],
                "backers": _shown(backers), "rank_in_campaign": ranked.index(idea) + 1, "is_backed": backers >= 5,
            })  # fmt: skip
            self.tables["fct_idea_status"].append({
                "idea_id": idea, "campaign_id": campaign, "status": status, "entered_at": decided_at or at,
                "left_at": None, "is_current": True, "is_final": status in ("complete", "stopped", "rejected"),
            })  # fmt: skip
            if currency and status in ("complete", "stopped", "accepted", "in_progress") and is_own:
                self._roi(idea, campaign, status, "USD" if n == 6 else currency, n)

    def _roi(self, idea: str, campaign: str, status: str, currency: str, n: int) -> None:
        has_both = status in ("complete", "stopped")
        cost = Decimal(10_000 + 1_500 * n)
        value = Decimal(0) if status == "stopped" else cost * (Decimal("0.8") + n % 4)
        self.tables["fct_idea_roi"].append({
            "idea_id": idea, "campaign_id": campaign, "status": status, "currency": currency,
            "expected_cost": cost - 500, "realised_cost": cost if has_both else None, "expected_value": cost * 2,
            "realised_value": value if has_both else None, "has_both": has_both,
            "roi": float((value - cost) / cost) if has_both else None,
            "as_of": date(2026, 6, 1), "was_accepted": True,
        })  # fmt: skip

    def _members(
        self, campaign: str, people: list[str], placed: list[Row], joined_at: datetime, *, is_own: bool
    ) -> None:
        for person in people:
            own_rows = [row for row in placed if row["user_id"] == person]
            self.tables["dim_members"].append({
                "member_id": hashlib.md5(f"{campaign}{person}".encode()).hexdigest(),  # noqa: S324 - no secret
                "campaign_id": campaign, "user_id": person, "role": "member", "first_joined_at": joined_at,
                "left_at": None, "is_current": True, "is_imported": not is_own,
                "cohort_month": joined_at.date().replace(day=1), "granted_coins": COINS,
                "staked_coins": sum(row["coins"] for row in own_rows), "ideas_backed": len({r["idea_id"] for r in own_rows}),
                "ideas_submitted": 0, "is_participant": bool(own_rows),
            })  # fmt: skip
            for day in sorted({row["effective_on"] for row in own_rows}):
                then = [row for row in own_rows if row["effective_on"] == day]
                self.tables["fct_member_activity"].append({
                    "campaign_id": campaign, "user_id": person, "activity_on": day, "allocations": len(then),
                    "coins_placed": sum(row["coins"] for row in then), "coins_taken_back": 0, "ideas_submitted": 0,
                })  # fmt: skip

    def _groups(self, campaign: str, people: list[str], placed: list[Row], *, is_own: bool) -> None:
        attributes: dict[str, Any] = {"department": _DEPARTMENTS} if is_own else {"age_band": _AGES, "sex": ("F", "M")}
        for attribute, names in attributes.items():
            for name in dict.fromkeys(names):
                group = {person for n, person in enumerate(people) if names[n % len(names)] == name}
                own_rows = [row for row in placed if row["user_id"] in group]
                is_hidden = len(group) < 5
                self.tables["fct_participation_by_group"].append({
                    "campaign_id": campaign, "attribute": attribute, "group_name": name, "is_suppressed": is_hidden,
                    "members": None if is_hidden else len(group),
                    "participants": None if is_hidden else len({row["user_id"] for row in own_rows}),
                    "coins": None if is_hidden else sum(row["coins"] for row in own_rows),
                })  # fmt: skip

    def _days(self, campaign: str, placed: list[Row], starts_on: date, members: int) -> None:
        running = 0
        last_on = min(NOW.date(), starts_on + timedelta(days=60))
        for day in (starts_on + timedelta(days=n) for n in range((last_on - starts_on).days)):
            then = [row for row in placed if row["effective_on"] == day]
            coins = sum(row["coins"] for row in then)
            running += coins
            self.tables["fct_campaign_engagement_daily"].append({
                "campaign_id": campaign, "day": day, "active_members": _shown(len({row["user_id"] for row in then})),
                "coins_placed": coins, "coins_taken_back": 0, "coins_returned": 0, "coins_net": coins, "coins_at_work": running,
                "ideas_submitted": 0, "members_joined": members if day == starts_on else 0, "members_left": 0,
                "members": members,
            })  # fmt: skip


def _cohorts() -> list[Row]:
    found: list[Row] = []
    for month, members in ((10, 60), (1, 24), (3, 4), (5, 18)):
        year = 2025 if month == 10 else 2026
        for since in range((2026 - year) * 12 + 6 - month + 1):
            active = round(members * 0.9**since * (1 if since % 2 else 0.8))
            is_small = members < 5
            counted = None if is_small else _shown(active)
            found.append({
                "cohort_month": date(year, month, 1), "months_since": since, "members": None if is_small else members,
                "active_members": counted, "retention": None if counted is None else counted / members,
            })  # fmt: skip
    return found


def suppressed(slug: str) -> dict[str, list[Row]]:
    """The changed tables if the campaign has 4 members, as the marts hide them."""
    campaign, tables = campaign_id(slug), rows()
    coins = {"issued_coins", "carried_in_coins", "wallet_coins", "held_coins", "staked_coins", "expired_coins"}
    faults = {"carried_out_coins", "difference_coins", "wrong_balances", "unbalanced_transfers"}
    hidden: dict[str, Row] = {
        "dim_campaigns": {"members": None, "participants": None, "is_suppressed": True},
        "dim_ideas": {"coins": None, "backers": None, "rank_in_campaign": None, "is_backed": False},
        "fct_coin_conservation": dict.fromkeys(coins | faults),
    }
    changes = {
        name: [{**row, **change} if row["campaign_id"] == campaign else row for row in tables[name]]
        for name, change in hidden.items()
    }
    for name in (
        "dim_members", "fct_allocations", "fct_member_activity", "fct_campaign_engagement_daily",
        "fct_participation_by_group",
    ):  # fmt: skip
        changes[name] = [row for row in tables[name] if row["campaign_id"] != campaign]
    ideas = {"overdue", "roi", "coverage", "delivery"}
    few = {"value": None, "numerator": None, "denominator": None, "coverage": None, "unknown_reason": FEWER_PEOPLE}
    changes["fct_figures"] = [
        {**row, **few} if row["scope_id"] == campaign and row["figure"] not in ideas else row
        for row in tables["fct_figures"]
    ]
    return changes


def _shown(people: int) -> int | None:
    """A number of people as the marts show it."""
    return people if people == 0 or people >= GROUP_SIZE_MIN else None
