"""The people of the fictitious company and their activity profiles."""

from __future__ import annotations

import random
from dataclasses import dataclass

from api.kernel.slugs import slug_of
from cli.demo.content import ELSEWHERE, load_campaigns, load_company, load_people

SEED = 1961


@dataclass(frozen=True, slots=True)
class ActivityProfile:
    """How active a person is in a campaign.

    `joins` is the probability of joining, `visits_per_day` the rate of visits after joining, which decreases
    exponentially over `fades_after_days`; with each further campaign the rate is multiplied by `repeat_factor`.
    """

    name: str
    joins: float
    visits_per_day: float
    fades_after_days: float
    repeat_factor: float


KEEN = ActivityProfile("keen", 1.0, 0.34, 50, 0.97)
REGULAR = ActivityProfile("regular", 0.95, 0.14, 30, 0.88)
OCCASIONAL = ActivityProfile("occasional", 0.78, 0.06, 14, 0.7)
SILENT = ActivityProfile("silent", 0.62, 0.0, 1, 1.0)
SHARES = {KEEN: 12, REGULAR: 34, OCCASIONAL: 35, SILENT: 19}


@dataclass(frozen=True, slots=True)
class Person:
    """An employee; `site` is None if not recorded, `starts_with` is the index of the first campaign to join."""

    name: str
    email: str
    department: str
    site: str | None
    profile: ActivityProfile
    starts_with: int

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of the person's memberships."""
        return {"department": self.department} | ({"district": self.site} if self.site else {})


def seeded_random(*about: object) -> random.Random:
    """A random generator that depends only on the seed and the arguments, not on previous calls."""
    return random.Random("/".join(map(str, (SEED, *about))))  # noqa: S311 - demo data, no secret


def address(name: str) -> str:
    """Email address for a name: first.last in ASCII, at a domain that cannot exist (RFC 2606)."""
    first, _, last = name.partition(" ")
    return f"{slug_of(first)}.{slug_of(last.replace(' ', ''))}@{load_company().domain}"


def roster() -> tuple[Person, ...]:
    """All people of the company, in the order of the file."""
    keen = {account.name for account in load_company().accounts}
    keen |= {idea.author for text in load_campaigns() for idea in text.ideas if idea.author}
    return tuple(
        _person(name, department, None if site == ELSEWHERE else site, is_keen=name in keen)
        for department, sites in load_people().items()
        for site, names in sites.items()
        for name in names
    )


def _person(name: str, department: str, site: str | None, *, is_keen: bool) -> Person:
    chance = seeded_random("person", name)
    profile = chance.choices(list(SHARES), list(SHARES.values()))[0]
    starts_with = chance.choices([0, 1, 3], [91, 5, 4])[0]
    if is_keen:
        profile, starts_with = KEEN, 0
    return Person(name, address(name), department, site, profile, starts_with)
