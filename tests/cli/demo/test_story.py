from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest

from cli.demo import actions
from cli.demo.actions import Plan
from cli.demo.calendar import Calendar, named_periods
from cli.demo.content import CampaignText
from cli.demo.people import SILENT
from cli.demo.story import make_plan

TODAY = date(2026, 11, 23)
# a week, so that every weekday is covered; across the end of a year, and in a leap year
DAYS = [date(2026, 12, 28) + timedelta(days=day) for day in range(7)] + [date(2028, 2, 29)]
SLUGS = ["waste-less", "easy-repair", "leeds-better-shift", "next-range"]
plan_of = cache(make_plan)
# a plan takes half a second; the first day and that of the leap year are in every run
any_day = pytest.mark.parametrize(
    "today",
    [pytest.param(day, marks=() if day in {DAYS[0], DAYS[-1]} else pytest.mark.deep, id=str(day)) for day in DAYS],
)


def _moves(plan: Plan, slug: str) -> list[tuple[datetime, actions.CoinMove]]:
    found = [action for action in plan.actions if isinstance(action, actions.Moves) and action.campaign == slug]
    return [(action.at, move) for action in found for move in action.moves]


def _statuses(plan: Plan, slug: str) -> dict[str, tuple[str, datetime]]:
    """The last step of each idea with its time."""
    found: dict[str, tuple[str, datetime]] = {}
    for action in plan.actions:
        if action.campaign == slug and isinstance(action, actions.Submit):
            found[action.idea.key] = ("submitted", action.at)
        elif action.campaign == slug and isinstance(action, actions.Step):
            found[action.idea] = (action.to, action.at)
    return found


class TestMakePlan:
    def test_the_same_day_gives_the_same_plan(self) -> None:
        assert make_plan(TODAY) == plan_of(TODAY)

    def test_another_week_shifts_the_same_plan(self) -> None:
        def planned(today: date) -> list[tuple[timedelta, str]]:
            midnight = datetime.combine(today, time(), UTC)
            return [(midnight - action.at, type(action).__name__) for action in plan_of(today).actions]

        assert planned(TODAY) == planned(TODAY + timedelta(days=7))

    @any_day
    def test_is_sorted_by_time_and_ends_before_today(self, today: date) -> None:
        times = [action.at for action in plan_of(today).actions]
        assert times == sorted(times)
        assert (
            datetime.combine(today, time(), UTC) - timedelta(days=3) < times[-1] < datetime.combine(today, time(), UTC)
        )
        assert timedelta(days=265) < datetime.combine(today, time(), UTC) - times[0] < timedelta(days=285)

    @any_day
    def test_contains_every_kind_of_action(self, today: date) -> None:
        plan, now = plan_of(today), datetime.combine(today, time(), UTC)
        first, second, third, fourth = (_statuses(plan, slug) for slug in SLUGS)
        assert Counter(to for to, _ in first.values()) == {
            "submitted": 16, "complete": 7, "stopped": 1, "rejected": 4, "withdrawn": 2,
        }  # fmt: skip
        in_delivery = [at for to, at in second.values() if to in {"accepted", "in_progress"}]
        assert [now - at > timedelta(days=30) for at in in_delivery].count(True) == 4
        assert [now - at < timedelta(days=30) for at in in_delivery].count(True) == 4
        waiting = [at for to, at in third.values() if to == "submitted"]
        assert len(waiting) == 8
        assert sum(now - at > timedelta(days=7) for at in waiting) >= 5
        assert Counter(to for to, _ in fourth.values()) == {"submitted": 25, "withdrawn": 1}
        last_move = max(at for at, _ in _moves(plan, "next-range"))
        assert now - last_move < timedelta(days=3)

    @any_day
    def test_members_act_within_the_rules(self, today: date) -> None:
        plan = plan_of(today)
        for text in plan.campaigns:
            assert Replay(plan, text).stakes

    @any_day
    def test_nobody_acts_before_joining_or_while_away(self, today: date) -> None:
        present: set[tuple[str, str]] = set()
        for action in plan_of(today).actions:
            match action:
                case actions.Join(person=person):
                    present.add((action.campaign, person.email))
                case actions.Leave(person=person):
                    present.remove((action.campaign, person.email))
                case actions.Moves(moves=moves):
                    assert {(action.campaign, move.person.email) for move in moves} <= present
                case actions.Submit(person=person) | actions.Edit(person=person) | actions.Step(person=person) if (
                    person
                ):
                    assert (action.campaign, person.email) in present


class Replay:
    """Checks the coin rules on the plan: no overdraft, no own ideas, limits, open ideas only."""

    def __init__(self, plan: Plan, text: CampaignText) -> None:
        self.text, self.policy = text, text.campaign.policy
        calendar = Calendar.of(plan.today, text.campaign.today_on_day)
        self.until = calendar.at(text.campaign.allocate_until_day, 18)
        self.wallets: dict[str, int] = {}
        self.stakes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.written: dict[str, str] = {}
        self.open: set[str] = set()
        for action in plan.actions:
            if action.campaign == text.campaign.slug:
                self.take(action)

    def take(self, action: actions.Action) -> None:
        match action:
            case actions.Join(person=person):
                self.wallets.setdefault(person.email, self.policy.coins_per_member)
            case actions.Submit(person=person, idea=idea):
                self.written[idea.key] = person.email
                self.open |= set() if self.text.campaign.is_mediated else {idea.key}
            case actions.Step(to="competing", idea=key):
                self.open.add(key)
            case actions.Step(to="accepted" | "rejected" | "withdrawn" as to, idea=key):
                self.open.discard(key)
                for email in self.stakes:
                    coins = self.stakes[email].pop(key, 0)
                    self.wallets[email] += 0 if to == "accepted" else coins
            case actions.Complete():
                self.open.clear()
            case actions.Moves(at=at, moves=moves):
                assert at <= self.until
                for move in moves:
                    self.move(move)

    def move(self, move: actions.CoinMove) -> None:
        email, placed = move.person.email, self.stakes[move.person.email]
        assert {move.from_idea, move.to_idea} - {None} <= self.open
        assert move.from_idea != move.to_idea
        if move.from_idea:
            placed[move.from_idea] -= move.coins
            assert placed[move.from_idea] == 0 or placed[move.from_idea] >= self.policy.coins_per_allocation_min
        else:
            self.wallets[email] -= move.coins
        if move.to_idea:
            assert self.written[move.to_idea] != email
            assert move.coins >= self.policy.coins_per_allocation_min
            placed[move.to_idea] += move.coins
            assert placed[move.to_idea] <= (self.policy.coins_per_member_and_idea_max or 10**9)
        else:
            self.wallets[email] += move.coins
        assert self.wallets[email] >= 0


class TestBehaviour:
    def test_a_few_ideas_get_most_coins(self) -> None:
        for slug in SLUGS:
            coins: Counter[str] = Counter()
            for _, move in _moves(plan_of(TODAY), slug):
                coins.update({move.to_idea or "": move.coins})
                coins.subtract({move.from_idea or "": move.coins})
            del coins[""]
            ranked = sorted(coins.values(), reverse=True)
            top_fifth = sum(ranked[: max(1, len(ranked) // 5)])
            assert 0.3 < top_fifth / sum(ranked) < 0.8

    def test_coins_are_moved_and_taken_back_too(self) -> None:
        moves = [move for slug in SLUGS for _, move in _moves(plan_of(TODAY), slug)]
        kinds = Counter((move.from_idea is None, move.to_idea is None) for move in moves)
        assert kinds[False, False] > 50  # from idea to idea
        assert kinds[False, True] > 20  # back to the wallet
        assert kinds[True, False] > 10 * kinds[False, False]

    def test_many_allocate_late(self) -> None:
        for text in plan_of(TODAY).campaigns[:2]:
            slug, calendar = text.campaign.slug, Calendar.of(TODAY, text.campaign.today_on_day)
            per_day = Counter(calendar.day_of(at.date()) for at, _ in _moves(plan_of(TODAY), slug))
            end = text.campaign.allocate_until_day
            last_week = sum(per_day[day] for day in range(end - 6, end + 1)) / 7
            month_before = sum(per_day[day] for day in range(end - 34, end - 6)) / 28
            assert last_week > 1.5 * month_before

    def test_departments_prefer_different_ideas(self) -> None:
        at_home, by_chance = 0, 0.0
        for text in plan_of(TODAY).campaigns:
            liked_by = {idea.key: idea.liked_by for idea in text.ideas}
            placed = [move for _, move in _moves(plan_of(TODAY), text.campaign.slug) if move.to_idea]
            share = Counter(move.person.department for move in placed)
            at_home += sum(move.person.department in liked_by[move.to_idea or ""] for move in placed)
            by_chance += sum(share[each] / len(placed) for move in placed for each in liked_by[move.to_idea or ""])
        assert at_home > 1.25 * by_chance

    def test_some_members_never_take_part(self) -> None:
        joined = {a.person for a in plan_of(TODAY).actions if isinstance(a, actions.Join)}
        moved = {move.person for slug in SLUGS for _, move in _moves(plan_of(TODAY), slug)}
        assert len(joined) == 200
        assert 20 <= len(joined - moved) <= 70
        assert {person for person in joined if person.profile is SILENT} <= joined - moved


class TestCohorts:
    def test_members_join_in_different_months_and_become_less_active(self) -> None:
        first: dict[str, date] = {}
        active: defaultdict[str, set[int]] = defaultdict(set)
        for action in plan_of(TODAY).actions:
            if isinstance(action, actions.Join):
                first.setdefault(action.person.email, action.at.date())
        for slug in SLUGS:
            for at, move in _moves(plan_of(TODAY), slug):
                active[move.person.email].add((at.date() - first[move.person.email]).days // 28)
        sizes = Counter(day.strftime("%Y-%m") for day in first.values())
        assert sum(size >= 10 for size in sizes.values()) >= 4
        early = [email for email, day in first.items() if (TODAY - day).days > 210]
        share = [sum(month in active[email] for email in early) / len(early) for month in range(8)]
        assert share[0] > 0.45  # most take part in their first four weeks
        assert share[5] < 0.6 * share[0]  # and later fewer do
        assert max(share[6:]) > 0  # but some remain

    def test_some_leave_and_some_of_them_rejoin(self) -> None:
        left = [a for a in plan_of(TODAY).actions if isinstance(a, actions.Leave)]
        joins = Counter((a.campaign, a.person.email) for a in plan_of(TODAY).actions if isinstance(a, actions.Join))
        came_back = [a for a in left if joins[a.campaign, a.person.email] == 2]
        assert 10 <= len(left) <= 25
        assert 3 <= len(came_back) < len(left)


class TestCalendar:
    def test_day_zero_is_a_monday_and_today_within_the_week(self) -> None:
        for today in DAYS:
            calendar = Calendar.of(today, 24)
            assert calendar.monday.weekday() == 0
            assert 24 <= calendar.day_of(today) <= 30


class TestNamedPeriods:
    @pytest.mark.parametrize(
        ("on", "month", "quarter"),
        [
            (date(2026, 1, 1), "December", "Q4 2025"),
            (date(2026, 3, 31), "February", "Q4 2025"),
            (date(2026, 4, 1), "March", "Q1 2026"),
            (date(2026, 12, 31), "November", "Q3 2026"),
        ],
    )
    def test_are_the_last_ended_periods(self, on: date, month: str, quarter: str) -> None:
        assert named_periods("{month}, {quarter}", on) == f"{month}, {quarter}"
