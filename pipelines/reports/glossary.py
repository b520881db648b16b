"""The terms that a report explains, and the limits of a campaign's data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import wording

if TYPE_CHECKING:
    from pipelines.reports.content import Content

_BALLOTS = {
    "approval": "Voters named the ideas that they approve of; each named idea got one coin.",
    "cumulative": "Voters distributed points among ideas; a point is a coin.",
    "scoring": "Voters gave each idea a score; a point is a coin.",
    "ordinal": "Voters ranked ideas; the points of each place are coins.",
}


def terms(content: Content) -> tuple[tuple[str, str], ...]:
    """Terms and their meanings, as far as they apply to this campaign."""
    people = content.people
    known = [
        (
            "Coin",
            f"What {people} put on ideas that they support. Each has a limited number of coins. Coins are never created or lost.",
        ),
        (
            "Coins of an idea",
            "Its coins just before the decision: coins put on it, minus coins taken back or moved to another idea.",
        ),
        (
            "Backer",
            f"A person with at least one coin on the idea. The number of backers is not shown if it is {wording.FEWER}.",
        ),
        ("Participant", "A person who put a coin on an idea or submitted one."),
        ("Accepted idea", "An idea that was accepted. Delivery may be waiting, in progress, complete or stopped."),
        (
            "Return",
            "Realised value minus realised cost, divided by realised cost, of ideas that have both. A stopped idea without a known value counts with 0.",
        ),
        ("Not known", "Figures are not estimated. A missing value is shown as missing, never as zero."),
        (
            "Small groups",
            f"Nothing is shown for a group of {wording.FEWER_PEOPLE}, or for a group that would make it possible to compute such a group.",
        ),
        ("Currencies", "Amounts of different currencies are never added."),
    ]
    if content.campaign.is_imported:
        known.insert(
            4, ("Voter", "A person with a ballot in the file. The file does not contain people who did not vote.")
        )
    return tuple(known)


def limits(content: Content) -> tuple[str, ...]:
    """The limits of this campaign's data, in sentences; empty for most of the organisation's own campaigns."""
    campaign = content.campaign
    sentences: list[str] = []
    if campaign.is_imported:
        sentences.append("This is an election imported from its published file.")
        if campaign.ballot_type in _BALLOTS:
            sentences.append(_BALLOTS[campaign.ballot_type])
        sentences.append(
            "The file contains only the voters and no times: participation, coins over time, the share placed late and "
            f"figures by period are {wording.NOT_IN_FILE}."
        )
        if not content.outcome_is_known:
            sentences.append(f"Which ideas were selected is {wording.NOT_IN_FILE}.")
    if campaign.currency is None and content.roi.height == 0:
        sentences.append("No cost or value is recorded for any idea.")
    return tuple(sentences)
