"""Memberships of the demo: who joins, leaves and rejoins each campaign, and who writes each idea."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.demo.people import KEEN, OCCASIONAL, REGULAR, SILENT, seeded_random

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.demo.content import CampaignText, IdeaText
    from cli.demo.people import Person

# the first campaign starts site by site, so that each of the first months has new members
ROLL_OUT_DAY = {"Ghent": 0, "Leeds": 28, "Wrocław": 56, None: 14}
JOIN_DELAY_MEAN_DAYS = 6.0
_LEAVERS = {"waste-less": 8, "easy-repair": 5, "leeds-better-shift": 3, "next-range": 0}
_AUTHOR_WEIGHT = {KEEN: 6, REGULAR: 4, OCCASIONAL: 2, SILENT: 0}


@dataclass(slots=True)
class Stay:
    """A membership in days of the campaign; absent from `leaves_on_day` until `returns_on_day`, None if never."""

    person: Person
    joins_on_day: int
    order: int  # how many campaigns the person had joined before
    leaves_on_day: int | None = None
    returns_on_day: int | None = None

    def is_member_on(self, day: int) -> bool:
        """Whether the person is a member for the whole day."""
        if day < self.joins_on_day:
            return False
        is_gone = self.leaves_on_day is not None and day >= self.leaves_on_day
        return not is_gone or (self.returns_on_day is not None and day > self.returns_on_day)


def memberships(people: Sequence[Person], campaigns: Sequence[CampaignText]) -> list[dict[str, Stay]]:
    """The stays of each campaign by email address; each person is in at least one campaign."""
    joined: dict[str, int] = {}
    stays: list[dict[str, Stay]] = []
    for number, text in enumerate(campaigns):
        of_campaign: dict[str, Stay] = {}
        for person in people:
            is_last_chance = number == len(campaigns) - 1 and person.email not in joined
            if is_last_chance or _joins(person, number, text):
                order = joined.get(person.email, 0)
                joined[person.email] = order + 1
                of_campaign[person.email] = Stay(person, _join_day(person, number, text), order)
        _plan_leaves(of_campaign, text)
        stays.append(of_campaign)
    return stays


def _joins(person: Person, number: int, text: CampaignText) -> bool:
    if number < person.starts_with or text.campaign.only_site not in {None, person.site}:
        return False
    return seeded_random("joins", text.campaign.slug, person.email).random() < person.profile.joins


def _join_day(person: Person, number: int, text: CampaignText) -> int:
    chance = seeded_random("join day", text.campaign.slug, person.email)
    until = min(text.campaign.allocate_until_day, text.campaign.today_on_day) - 3
    opens = ROLL_OUT_DAY[person.site] if number == 0 else 0
    if text.campaign.join_policy == "by_manager" and chance.random() < 0.8:
        return 0  # the manager adds the whole site on the first day
    is_late = chance.random() < 0.15
    day = chance.randint(opens, until) if is_late else opens + int(chance.expovariate(1 / JOIN_DELAY_MEAN_DAYS))
    day = min(day, until)
    return day - max(0, day % 7 - 4)  # joins on a weekend are moved to the Friday


def _plan_leaves(stays: dict[str, Stay], text: CampaignText) -> None:
    """Some regular and occasional members leave; every second one of them rejoins some weeks later."""
    chance = seeded_random("leave", text.campaign.slug)
    may_leave = [
        stay
        for stay in stays.values()
        if stay.person.profile in {REGULAR, OCCASIONAL} and stay.joins_on_day < text.campaign.allocate_until_day - 60
    ]
    count = min(_LEAVERS[text.campaign.slug], len(may_leave))
    for position, stay in enumerate(chance.sample(may_leave, count)):
        stay.leaves_on_day = _working_day(stay.joins_on_day + chance.randint(14, 30))
        if position % 2 == 0:
            stay.returns_on_day = _working_day(stay.leaves_on_day + chance.randint(10, 24))


def _working_day(day: int) -> int:
    return day - max(0, day % 7 - 4)


def authors(stays: dict[str, Stay], text: CampaignText) -> dict[str, Person]:
    """The author of each idea, by the idea's key: a member of its department and site who does not leave.

    If no such person has joined by the idea's day, one joins on that day.
    """
    written: dict[str, int] = {}
    chosen: dict[str, Person] = {}
    for idea in sorted(text.ideas, key=lambda idea: (idea.day, idea.key)):
        fitting = [stay for stay in stays.values() if _fits(stay, idea)]
        present = [stay for stay in fitting if stay.joins_on_day <= idea.day] or fitting
        weights = [
            _AUTHOR_WEIGHT[stay.person.profile] / (1 + 2 * written.get(stay.person.email, 0)) for stay in present
        ]
        stay = seeded_random("author", text.campaign.slug, idea.key).choices(present, weights)[0]
        stay.joins_on_day = min(stay.joins_on_day, idea.day)
        written[stay.person.email] = written.get(stay.person.email, 0) + 1
        chosen[idea.key] = stay.person
    return chosen


def _fits(stay: Stay, idea: IdeaText) -> bool:
    person = stay.person
    if idea.author is not None:
        return person.name == idea.author
    is_from_there = person.department == idea.by and idea.site in {None, person.site}
    return is_from_there and stay.leaves_on_day is None and _AUTHOR_WEIGHT[person.profile] > 0
