"""The three sentences at the start of a report: participation, leading or accepted ideas, and return.

Each is computed from the figures, states what is not known, and never adds amounts of different currencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from pipelines import wording
from pipelines.reports.content import ACCEPTED

if TYPE_CHECKING:
    from pipelines.marts import Figure
    from pipelines.reports.content import Content

_TITLE_MAX: Final = 90


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and its subject, one or two words."""

    about: str
    text: str


def sentences(content: Content) -> tuple[Sentence, Sentence, Sentence]:
    """The three sentences, in the order of the executive's questions."""
    return (
        Sentence("People", _people(content)),
        Sentence("Ideas", _ideas(content)),
        Sentence("Return", _return(content)),
    )


def conservation_statement(content: Content) -> str:
    """Whether every coin that was given out is accounted for, with the date of the data."""
    dated = f"As of {wording.minute(content.snapshot.created_at)}"
    row = content.conservation
    if row is None:
        return "The snapshot contains no conservation statement for this campaign."
    if row["is_suppressed"]:
        balanced = "balanced" if row["is_balanced"] else "not balanced"
        return f"{dated}, the coins are {balanced}. Their numbers are not shown for {wording.FEWER_PEOPLE}."
    difference, total = int(row["difference_coins"]), int(row["issued_coins"]) + int(row["carried_in_coins"])
    if difference:
        coins = wording.counted(abs(difference), "coin is", "coins are")
        found = f"{coins} {'missing' if difference > 0 else 'too many'}"
        return f"{dated}, the coins do not add up: {found}. Do not rely on the numbers of coins in this report."
    if not row["is_balanced"]:
        return f"{dated}, the coins do not add up: balances differ from the movements. Do not rely on the numbers of coins in this report."
    if total == 0:
        return f"{dated}, no coin has been given out."
    was = wording.counted(total, "coin was", "coins were")
    return f"{dated}, every coin is accounted for: {was} given out, and the accounts contain the same number."


def ledger_head(content: Content) -> str:
    """The last block of the ledger's chain when the figures were built. A copy kept elsewhere reveals later changes of transfers."""
    campaign = content.campaign
    if campaign.chain_height is None or campaign.chain_hash is None or campaign.chain_sealed_at is None:
        return "no transfer has been sealed yet"
    # without commas, as the option --head requires
    return f"block {campaign.chain_height}, {campaign.chain_hash}, sealed {wording.minute(campaign.chain_sealed_at)}"


def _people(content: Content) -> str:
    campaign = content.campaign
    if campaign.members is None:
        people = "people voted" if campaign.is_imported else "people are members"
        return f"{wording.FEWER.capitalize()} {people}, so no figure about them is shown."
    if campaign.is_imported:
        return _voters(content, campaign.members)
    return _members(content, campaign.members) if campaign.members else "No person has joined yet."


def _members(content: Content, number: int) -> str:
    took_part = next(iter(content.figures("participation")), None)
    if took_part is None or took_part.now.value is None:
        are = wording.counted(number, "person is a member", "people are members")
        return f"{are}; how many of them took part is not known ({_reason(took_part)})."
    active = int(took_part.now.numerator or 0)
    members = int(took_part.now.denominator or number)
    if members == 1:
        return f"The only member has {'' if active else 'not '}put a coin on an idea or submitted one."
    if active == 0:
        return f"None of the {wording.count(members)} members has put a coin on an idea or submitted one."
    text = (
        f"{wording.count(active)} of {wording.count(members)} members "
        f"({wording.percent(took_part.now.value)}) put coins on an idea or submitted one"
    )
    return f"{text}{_recent_people(content, took_part)}."


def _voters(content: Content, voters: int) -> str:
    campaign = content.campaign
    voted = f"{wording.counted(voters, 'person', 'people')} voted"
    if not campaign.eligible_people:
        return f"{voted}; the number of eligible people is {wording.NOT_IN_FILE}."
    if voters > campaign.eligible_people:
        return f"{voted}; the stated number of eligible people, {wording.count(campaign.eligible_people)}, is lower."
    turnout = wording.percent(voters / campaign.eligible_people)
    return f"{voted}, {turnout} of the {wording.count(campaign.eligible_people)} eligible people."


def _recent_people(content: Content, took_part: Figure) -> str:
    recent = content.recently(took_part)
    if content.campaign.status != "active" or recent is None or recent.now.value is None:
        return ""
    text = f"; {_or_none(recent.now.numerator)} did in the last 30 days"
    if recent.before is not None and recent.before.value is not None:
        text += f", after {_or_none(recent.before.numerator)} in the 30 days before"
    return text


def _or_none(number: float | None) -> str:
    return wording.count(number) if number else "none"


def _ideas(content: Content) -> str:
    number = content.ideas.height
    if number == 0:
        return "There are no ideas yet."
    ideas = wording.counted(number, "idea", "ideas")
    outcome = _outcome(content, ideas, number)
    hidden = f"the coins on ideas are not shown for {wording.FEWER_PEOPLE}"
    lead = f"{outcome}; {hidden if content.campaign.is_suppressed else _leader(content)}"
    if not content.outcome_is_known:
        return f"{lead}; which ideas were selected is {wording.NOT_IN_FILE}."
    return f"{lead}{_overdue(content)}."


def _outcome(content: Content, ideas: str, number: int) -> str:
    if not content.outcome_is_known:
        return f"{ideas} were on the ballot" if content.campaign.is_imported else ideas
    accepted = content.ideas.filter(pl.col("status").is_in(list(ACCEPTED))).height
    if number == 1:
        return "The only idea was accepted" if accepted else "The only idea has not been accepted"
    if accepted == number:
        return f"All {ideas} were accepted"
    if accepted == 0:
        return f"None of the {ideas} has been accepted" + (
            " so far" if content.campaign.status in {"active", "paused", "closed"} else ""
        )
    return f"{wording.count(accepted)} of {ideas} {'was' if accepted == 1 else 'were'} accepted"


def _leader(content: Content) -> str:
    total = content.coins_on_ideas
    if total <= 0:
        return "no coins are on them" if content.ideas.height > 1 else "no coins are on it"
    ranked = content.ideas.sort("coins", descending=True, maintain_order=True)
    if ranked.height == 1:
        return f"{wording.counted(total, 'coin was', 'coins were')} put on it"
    best = ranked["coins"][0]
    leaders = ranked.filter(pl.col("coins") == best)
    share = wording.percent(best / total)
    coins = f"of the {wording.counted(total, 'coin', 'coins')}"
    if leaders.height > 1:
        return f"{wording.count(leaders.height)} share the lead with {wording.counted(best, 'coin', 'coins')} each, {share} {coins}"
    title = wording.title(leaders["title"][0], _TITLE_MAX)
    return f"\u201c{title}\u201d leads with {wording.counted(best, 'coin', 'coins')}, {share} {coins}"


def _overdue(content: Content) -> str:
    overdue = next(iter(content.figures("overdue")), None)
    if overdue is None or not overdue.now.value or content.campaign.is_imported:
        return ""
    late = int(overdue.now.value)
    return f"; {wording.count(late)} {'is' if late == 1 else 'are'} overdue for a decision or a next step"


def _return(content: Content) -> str:
    measured = [figure for figure in content.figures("roi") if figure.now.value is not None]
    if measured:
        parts = [_returned(content, figure, place, len(measured)) for place, figure in enumerate(measured)]
        parts.append(_unmeasured(content))
        return f"{'; '.join(part for part in parts if part)}."
    if content.campaign.is_imported:
        return f"The realised value of the ideas is {wording.NOT_IN_FILE}{_planned(content)}."
    accepted = content.ideas.filter(pl.col("status").is_in(list(ACCEPTED))).height
    if accepted == 0:
        return "No idea has been accepted so far, so there is no return yet."
    if content.roi.filter("has_both").height:
        return (
            f"The ideas whose cost and value are known cost nothing, so no return can be computed{_planned(content)}."
        )
    if accepted == 1:
        return (
            f"The return of the accepted idea is not known: its realised cost or value is missing{_planned(content)}."
        )
    ideas = f"the {wording.count(accepted)} accepted ideas"
    return f"The return of {ideas} is not known: none has both a realised cost and a realised value{_planned(content)}."


def _returned(content: Content, figure: Figure, place: int, currencies: int) -> str:
    ideas = content.roi.filter(pl.col("has_both") & (pl.col("currency") == figure.currency)).height
    cost = figure.now.denominator or 0
    value = cost + (figure.now.numerator or 0)
    roi = figure.now.value or 0
    number = "one idea" if ideas == 1 else f"{wording.count(ideas)} ideas"
    where = f" in {figure.currency}" if currencies > 1 else ""
    which = f"the {number}{where}" if place else f"The {number}{where} with known cost and value"
    verb = "a return of" if roi >= 0 else "a loss of"
    return (
        f"{which} cost {wording.money(cost, figure.currency)} and returned {wording.money(value, figure.currency)}, "
        f"{verb} {wording.percent(abs(roi))}"
    )


def _unmeasured(content: Content) -> str:
    accepted = content.ideas.filter(pl.col("status").is_in(list(ACCEPTED)))
    known = content.roi.filter(pl.col("has_both"))
    missing = accepted.join(known.select("idea_id").unique(), on="idea_id", how="anti").height
    if missing == 0:
        return ""
    return f"the return of {wording.counted(missing, 'other accepted idea', 'other accepted ideas')} is not known yet"


def _planned(content: Content) -> str:
    """The estimated cost of the ideas, if all estimates are in one currency."""
    costs = content.roi.filter(pl.col("expected_cost").is_not_null() & pl.col("currency").is_not_null())
    if costs.height == 0 or costs["currency"].n_unique() != 1:
        return ""
    total = wording.money(costs["expected_cost"].sum(), costs["currency"][0])
    if costs.height == 1:
        return f"; the estimated cost of one idea is {total}"
    return f"; the estimated cost of {wording.count(costs.height)} ideas is {total} in total"


def _reason(figure: Figure | None) -> str:
    return (figure.now.unknown_reason if figure else None) or "not in the snapshot"
