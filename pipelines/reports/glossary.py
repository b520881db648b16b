"""Words that a report uses, explained, and what the data of this campaign cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.marts import GROUP_SIZE_MIN
from pipelines.reports import wording

if TYPE_CHECKING:
    from pipelines.reports.content import Content

_BALLOTS = {
    "approval": "Voters named the ideas they approve of; each named idea got one coin.",
    "cumulative": "Voters spread points over ideas; a point is a coin.",
    "scoring": "Voters gave each idea a score; a point is a coin.",
    "ordinal": "Voters ranked ideas; the points of each place are coins.",
}


def terms(content: Content) -> tuple[tuple[str, str], ...]:
    """Terms and their meanings, those that this campaign needs."""
    people = content.people
    known = [
        (
            "Coin",
            f"What {people} put on ideas they believe in. Each has a limited number, and coins cannot be made or lost.",
        ),
        ("Coins of an idea", "What lay on it just before it was decided: put there, less taken back or moved away."),
        (
            "Backer",
            f"A person with at least one coin on the idea. Fewer than {GROUP_SIZE_MIN} backers are not told apart.",
        ),
        ("Participant", "A person who put a coin on an idea or submitted one."),
        ("Accepted idea", "An idea that was accepted once, whether it waits, is in progress, complete or stopped."),
        (
            "Return",
            "Realised value less realised cost, over realised cost, of ideas that have both. A stopped idea whose value is not known counts with 0.",
        ),
        ("Not known", "No figure is guessed. What is missing is shown as missing, never as zero."),
        (
            "Small groups",
            f"Nothing is shown for a group of fewer than {GROUP_SIZE_MIN} people, nor for a group from which such a one could be worked out.",
        ),
        ("Currencies", "Amounts of different currencies are never added."),
    ]
    if content.campaign.is_imported:
        known.insert(4, ("Voter", "A person with a ballot in the file. Who could have voted and did not is not in it."))
    return tuple(known)


def limits(content: Content) -> tuple[str, ...]:
    """What this campaign's data cannot tell, in sentences; empty for most campaigns of our own."""
    campaign = content.campaign
    said: list[str] = []
    if campaign.is_imported:
        said.append("This is an election imported from its published file.")
        if campaign.ballot_type in _BALLOTS:
            said.append(_BALLOTS[campaign.ballot_type])
        said.append(
            "The file holds the voters alone and no times: participation, coins over time, the share placed late and "
            f"figures by period are {wording.NOT_IN_FILE}."
        )
        if not content.outcome_is_known:
            said.append(f"Which ideas were selected is {wording.NOT_IN_FILE}.")
    if campaign.currency is None and content.roi.height == 0:
        said.append("No cost or value is recorded for any idea.")
    return tuple(said)
