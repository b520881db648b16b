"""Who works at the invented company, and how keen each of them is."""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass

from cli.demo.content import ELSEWHERE, load_campaigns, load_company, load_people

SEED = 1961


@dataclass(frozen=True, slots=True)
class Temper:
    """How somebody takes to a campaign.

    `joins` is the chance of joining one, `visits_per_day` the rate of visits when new to it, which fades with
    `fades_after_days`; with each further campaign the rate is multiplied by `stays_keen`.
    """

    name: str
    joins: float
    visits_per_day: float
    fades_after_days: float
    stays_keen: float


KEEN = Temper("keen", 1.0, 0.34, 50, 0.97)
REGULAR = Temper("regular", 0.95, 0.14, 30, 0.88)
OCCASIONAL = Temper("occasional", 0.78, 0.06, 14, 0.7)
SILENT = Temper("silent", 0.62, 0.0, 1, 1.0)
SHARES = {KEEN: 12, REGULAR: 34, OCCASIONAL: 35, SILENT: 19}


@dataclass(frozen=True, slots=True)
class Person:
    """One of the company; `site` is None where it is not recorded, `starts_with` the first campaign they can join."""

    name: str
    email: str
    department: str
    site: str | None
    temper: Temper
    starts_with: int

    @property
    def attributes(self) -> dict[str, str]:
        """What their membership says about them."""
        return {"department": self.department} | ({"district": self.site} if self.site else {})


def dice(*about: object) -> random.Random:
    """Chances that depend on the seed and on what they are about, and on nothing drawn before."""
    return random.Random("/".join(map(str, (SEED, *about))))  # noqa: S311 - a story, no secret


def address(name: str) -> str:
    """The address of somebody with this name: first.last in ASCII, at a domain that cannot exist (RFC 2606)."""
    first, _, last = name.translate(str.maketrans("łŁ", "lL")).partition(" ")
    plain = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode().lower()
    return f"{re.sub(r'[^a-z.-]', '', plain)}@{load_company().domain}"


def roster() -> tuple[Person, ...]:
    """The two hundred members, in the order of the file."""
    keen = {account.name for account in load_company().accounts}
    keen |= {idea.author for text in load_campaigns() for idea in text.ideas if idea.author}
    return tuple(
        _person(name, department, None if site == ELSEWHERE else site, is_keen=name in keen)
        for department, sites in load_people().items()
        for site, names in sites.items()
        for name in names
    )


def _person(name: str, department: str, site: str | None, *, is_keen: bool) -> Person:
    chance = dice("person", name)
    temper = chance.choices(list(SHARES), list(SHARES.values()))[0]
    starts_with = chance.choices([0, 1, 3], [91, 5, 4])[0]
    if is_keen:
        temper, starts_with = KEEN, 0
    return Person(name, address(name), department, site, temper, starts_with)
