"""Generates the plan of the demo: all actions with their times, derived only from the seed and the date."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from math import exp
from typing import TYPE_CHECKING

from cli.demo import actions
from cli.demo.calendar import Calendar, named_periods
from cli.demo.content import load_campaigns
from cli.demo.market import RUSH_DAYS, Book, Listing, Visit
from cli.demo.memberships import authors, memberships
from cli.demo.people import SILENT, roster, seeded_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.demo.actions import Action, CoinMove
    from cli.demo.content import CampaignText, IdeaText
    from cli.demo.memberships import Stay
    from cli.demo.people import Person

DRAFTED_ON_DAY = -4
_WEEKEND = 0.07
_LAUNCH_DAYS = 5
_LAUNCH = 1.8
_RUSH = 2.2
_LAST_CALL = 0.35


def make_plan(today: date) -> actions.Plan:
    """All actions until the start of `today` (midnight UTC); the same for the same day."""
    campaigns = load_campaigns()
    people = roster()
    planned: list[Action] = []
    for text, stays in zip(campaigns, memberships(people, campaigns), strict=True):
        planned += _CampaignPlanner(text, stays, Calendar.of(today, text.campaign.today_on_day), today).plan()
    planned.sort(key=lambda action: action.at)
    return actions.Plan(today, campaigns, tuple(planned))


@dataclass(slots=True)
class _CampaignPlanner:
    """Plans one campaign: fixed actions from its content, and simulated visits of its members."""

    text: CampaignText
    stays: dict[str, Stay]
    calendar: Calendar
    today: date

    def plan(self) -> list[Action]:
        """All actions of the campaign before today, sorted by time."""
        author_of = authors(self.stays, self.text)
        fixed = [*self._campaign_actions(), *self._joins_and_leaves()]
        for idea in self.text.ideas:
            fixed += self._idea_actions(idea, author_of[idea.key])
        midnight = datetime.combine(self.today, time(), UTC)
        fixed = sorted((action for action in fixed if action.at < midnight), key=lambda action: action.at)
        return self._with_visits(fixed, author_of)

    @property
    def _slug(self) -> str:
        return self.text.campaign.slug

    def _campaign_actions(self) -> Iterator[Action]:
        yield actions.Create(self.calendar.at(DRAFTED_ON_DAY, 14, 11), self._slug)
        yield actions.Activate(self.calendar.at(0, 7, 3), self._slug)
        if self.text.campaign.complete_on_day is not None:
            yield actions.Complete(self.calendar.at(self.text.campaign.complete_on_day, 10, 7), self._slug)

    def _joins_and_leaves(self) -> Iterator[Action]:
        for stay in self.stays.values():
            chance = seeded_random("hours", self._slug, stay.person.email)
            early = self.calendar.at(
                stay.joins_on_day, 7, chance.choice((4, 8, 13, 19, 23, 29, 34, 38, 44, 49, 53, 58))
            )
            yield actions.Join(early, self._slug, stay.person)
            if stay.leaves_on_day is not None:
                yield actions.Leave(self.calendar.office_hours(stay.leaves_on_day, chance), self._slug, stay.person)
            if stay.returns_on_day is not None:
                yield actions.Join(self.calendar.office_hours(stay.returns_on_day, chance), self._slug, stay.person)

    def _idea_actions(self, idea: IdeaText, author: Person) -> Iterator[Action]:
        chance = seeded_random("life", self._slug, idea.key)
        yield actions.Submit(self.calendar.office_hours(idea.day, chance), self._slug, author, idea)
        for edit in idea.edits:
            at = self.calendar.office_hours(edit.day, chance)
            yield actions.Edit(at, self._slug, author, idea.key, edit.description)
        for step in idea.steps:
            by = author if step.to == "withdrawn" else None
            yield actions.Step(
                self.calendar.office_hours(step.day, chance), self._slug, by, idea.key, step.to, step.reason
            )
        for value in idea.values:
            on = self.calendar.date_of(value.day)
            at = self.calendar.office_hours(value.day, chance)
            source = named_periods(value.source, on)
            yield actions.Value(at, self._slug, idea.key, value.kind, value.amount, on, source)

    def _with_visits(self, fixed: list[Action], author_of: dict[str, Person]) -> list[Action]:
        book = Book(self._slug, self.text.campaign.policy)
        visits = self._visits()
        planned: list[Action] = []
        for action in [*fixed, None]:
            while visits and (action is None or visits[0][0] < action.at):
                at, visitors = visits.pop(0)
                moves = tuple(move for person in visitors for move in self._visit(book, person, at))
                if moves:
                    planned.append(actions.Moves(at, self._slug, moves))
            if action is not None:
                self._apply(book, action, author_of)
                planned.append(action)
        return planned

    def _visit(self, book: Book, person: Person, at: datetime) -> list[CoinMove]:
        day = self.calendar.day_of(at.date())
        chance = seeded_random("visit", self._slug, person.email, day)
        return Visit(book, person, day, self.text.campaign.allocate_until_day - day, chance).moves()

    def _visits(self) -> list[tuple[datetime, list[Person]]]:
        """The visitors of each quarter of an hour."""
        slots: defaultdict[datetime, list[Person]] = defaultdict(list)
        last = min(self.text.campaign.allocate_until_day, self.calendar.day_of(self.today) - 1)
        for stay in self.stays.values():
            if stay.person.profile is SILENT:
                continue
            for day in range(stay.joins_on_day, last + 1):
                chance = seeded_random("looks in", self._slug, stay.person.email, day)
                if stay.is_member_on(day) and chance.random() < self._visit_probability(stay, day):
                    slots[self._slot(stay, day)].append(stay.person)
        return sorted(slots.items(), key=lambda slot: slot[0])

    def _slot(self, stay: Stay, day: int) -> datetime:
        at = self.calendar.slot(day, seeded_random("slot", self._slug, stay.person.email, day))
        # not before the time of joining
        return max(at, self.calendar.at(day, 8)) if day == stay.joins_on_day else at

    def _visit_probability(self, stay: Stay, day: int) -> float:
        """Probability of a visit on this day: decreases after joining and increases near the end of the window."""
        profile, age = stay.person.profile, day - stay.joins_on_day
        left = self.text.campaign.allocate_until_day - day
        rate = profile.visits_per_day * profile.repeat_factor**stay.order
        rate *= 0.2 + 0.8 * exp(-age / profile.fades_after_days)
        rate *= _LAUNCH if age < _LAUNCH_DAYS else 1
        rate *= _RUSH if left < RUSH_DAYS else 1
        if left == 1 and seeded_random("last call", self._slug, stay.person.email).random() < _LAST_CALL:
            rate = 1
        return rate * (_WEEKEND if Calendar.is_weekend(day) else 1)

    def _apply(self, book: Book, action: Action, author_of: dict[str, Person]) -> None:
        """Apply the effect of a fixed action to the balances."""
        match action:
            case actions.Join(person=person):
                book.grant(person)
            case actions.Submit(idea=idea) if not self.text.campaign.is_mediated:
                book.open[idea.key] = Listing(idea, author_of[idea.key])
            case actions.Step(to="competing", idea=key):
                idea = next(idea for idea in self.text.ideas if idea.key == key)
                book.open[key] = Listing(idea, author_of[key])
            case actions.Step(to="accepted", idea=key):
                book.close(key, returns_coins=False)
            case actions.Step(to="rejected" | "withdrawn", idea=key):
                book.close(key, returns_coins=True)
