"""Who joins which campaign when, who leaves, who comes back, and who writes which idea."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.demo.people import KEEN, OCCASIONAL, REGULAR, SILENT, dice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.demo.content import CampaignText, IdeaText
    from cli.demo.people import Person

# the first campaign was opened site by site, so that the first months bring different people
ROLL_OUT_DAY = {"Ghent": 0, "Leeds": 28, "Wrocław": 56, None: 14}
COMES_SOON_DAYS = 6.0
_LEAVERS = {"waste-less": 8, "easy-repair": 5, "leeds-better-shift": 3, "next-range": 0}
_AUTHOR_WEIGHT = {KEEN: 6, REGULAR: 4, OCCASIONAL: 2, SILENT: 0}


@dataclass(slots=True)
class Stay:
    """A member of a campaign by its days; away from `leaves_on_day` until `returns_on_day`, each None if never."""

    person: Person
    joins_on_day: int
    order: int  # how many campaigns the person had joined before
    leaves_on_day: int | None = None
    returns_on_day: int | None = None

    def is_member_on(self, day: int) -> bool:
        """Whether the person is in the campaign on all of this day."""
        if day < self.joins_on_day:
            return False
        is_gone = self.leaves_on_day is not None and day >= self.leaves_on_day
        return not is_gone or (self.returns_on_day is not None and day > self.returns_on_day)


def memberships(people: Sequence[Person], campaigns: Sequence[CampaignText]) -> list[dict[str, Stay]]:
    """The stays of each campaign by the person's address; everybody is in one campaign at least."""
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
        _let_some_leave(of_campaign, text)
        stays.append(of_campaign)
    return stays


def _joins(person: Person, number: int, text: CampaignText) -> bool:
    if number < person.starts_with or text.campaign.only_site not in {None, person.site}:
        return False
    return dice("joins", text.campaign.slug, person.email).random() < person.temper.joins


def _join_day(person: Person, number: int, text: CampaignText) -> int:
    chance = dice("join day", text.campaign.slug, person.email)
    until = min(text.campaign.allocate_until_day, text.campaign.today_on_day) - 3
    opens = ROLL_OUT_DAY[person.site] if number == 0 else 0
    if text.campaign.join_policy == "by_manager" and chance.random() < 0.8:
        return 0  # the manager adds the whole site on the first day
    is_late = chance.random() < 0.15
    day = chance.randint(opens, until) if is_late else opens + int(chance.expovariate(1 / COMES_SOON_DAYS))
    day = min(day, until)
    return day - max(0, day % 7 - 4)  # a weekend's newcomers came on the Friday


def _let_some_leave(stays: dict[str, Stay], text: CampaignText) -> None:
    """Some regular and occasional members go; every other one of them comes back some weeks later."""
    chance = dice("leave", text.campaign.slug)
    may_leave = [
        stay
        for stay in stays.values()
        if stay.person.temper in {REGULAR, OCCASIONAL} and stay.joins_on_day < text.campaign.allocate_until_day - 60
    ]
    count = min(_LEAVERS[text.campaign.slug], len(may_leave))
    for position, stay in enumerate(chance.sample(may_leave, count)):
        stay.leaves_on_day = _working_day(stay.joins_on_day + chance.randint(14, 30))
        if position % 2 == 0:
            stay.returns_on_day = _working_day(stay.leaves_on_day + chance.randint(10, 24))


def _working_day(day: int) -> int:
    return day - max(0, day % 7 - 4)


def authors(stays: dict[str, Stay], text: CampaignText) -> dict[str, Person]:
    """Who wrote each idea, by the idea's key: of its department and site, a member then, and one who stays.

    Where nobody of them had joined by then, one joins early, on the idea's day.
    """
    written: dict[str, int] = {}
    chosen: dict[str, Person] = {}
    for idea in sorted(text.ideas, key=lambda idea: (idea.day, idea.key)):
        fitting = [stay for stay in stays.values() if _fits(stay, idea)]
        present = [stay for stay in fitting if stay.joins_on_day <= idea.day] or fitting
        weights = [_AUTHOR_WEIGHT[stay.person.temper] / (1 + 2 * written.get(stay.person.email, 0)) for stay in present]
        stay = dice("author", text.campaign.slug, idea.key).choices(present, weights)[0]
        stay.joins_on_day = min(stay.joins_on_day, idea.day)
        written[stay.person.email] = written.get(stay.person.email, 0) + 1
        chosen[idea.key] = stay.person
    return chosen


def _fits(stay: Stay, idea: IdeaText) -> bool:
    person = stay.person
    if idea.author is not None:
        return person.name == idea.author
    is_from_there = person.department == idea.by and idea.site in {None, person.site}
    return is_from_there and stay.leaves_on_day is None and _AUTHOR_WEIGHT[person.temper] > 0
