"""Writes a finished campaign as an election in Pabulib's format, which imports again with equal totals.

`docs/pabulib.md` documents the mapping of each value.
"""

from __future__ import annotations

import hmac
import secrets
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from api.campaigns import service as campaigns
from api.campaigns.errors import CampaignNotFound
from api.campaigns.lifecycle import Phase, phase_at
from api.coins import service as coins
from api.imports.anonymity import shared_attributes
from api.imports.elections import BallotKind
from api.imports.errors import ElectionNotOver, TooFewVoters
from api.imports.writing import write_sections
from api.kernel import clock
from api.kernel.texts import joined_lines, normalise
from pipelines.privacy import GROUP_SIZE_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

_ID_LENGTH = 16
_SELECTED = {"accepted": 1, "in_progress": 1, "complete": 1, "stopped": 1, "not_selected": 0}
# columns of VOTES that are not attributes
_RESERVED = frozenset({"voter_id", "vote", "points"})

# ideas that competed to the end; those that were withdrawn, rejected or merged have no coins any more
_IDEAS = text(
    """
    SELECT i.id, i.source_ref, i.title, i.description, i.status, i.latitude, i.longitude, t.settled_coins,
        t.settled_backers,
        (SELECT v.amount FROM app.idea_valuations AS v WHERE v.idea_id = i.id AND v.kind = 'expected_cost'
            ORDER BY v.valued_on DESC, v.recorded_at DESC LIMIT 1) AS cost,
        ARRAY(SELECT g.name FROM app.idea_tags AS g WHERE g.idea_id = i.id AND g.kind = 'category' ORDER BY 1) AS categories,
        ARRAY(SELECT g.name FROM app.idea_tags AS g WHERE g.idea_id = i.id AND g.kind = 'target' ORDER BY 1) AS targets
    FROM app.ideas AS i
    JOIN app.coin_targets AS t ON t.idea_id = i.id
    WHERE i.campaign_id = :campaign_id AND i.status NOT IN ('draft', 'pending', 'withdrawn', 'rejected', 'merged')
    ORDER BY i.submitted_at, i.id
    """
)
# the attributes of the last stay
_MEMBERS = text(
    """
    SELECT DISTINCT ON (m.user_id) m.user_id, m.attributes FROM app.memberships AS m
    WHERE m.campaign_id = :campaign_id
    ORDER BY m.user_id, m.joined_at DESC
    """
)


@dataclass(frozen=True)
class ExportedElection:
    """A file, and what it contains; `coins` are those on ideas."""

    slug: str
    ideas: int
    ballots: int
    coins: int
    content: bytes


async def export_campaign(session: AsyncSession, campaign: str) -> ExportedElection:
    """Write the campaign with this slug or id. Ballots are the members' coins on ideas just before they were settled.

    The ids of voters are keyed hashes with a key for this export alone, so that two files cannot be joined by them.

    Raises:
        CampaignNotFound: there is none.
        ElectionNotOver: members can still move coins.
        TooFewVoters: fewer than 5 members of a campaign of this installation have coins on ideas.
    """
    found = await _find_campaign(session, campaign)
    is_imported = found.origin == "imported"
    if phase_at(found.status, found.starts_at, found.ends_at, clock.now()) not in {
        *(Phase.CLOSED, Phase.COMPLETED, Phase.ARCHIVED),
    }:
        msg = f"{found.slug} is not over; members can still move coins."
        raise ElectionNotOver(msg)
    ideas = (await session.execute(_IDEAS, {"campaign_id": found.id})).all()
    members = (await session.execute(_MEMBERS, {"campaign_id": found.id})).all()
    stakes = await _stakes(session, found.id, ideas)
    # in an imported election, who put coins on no idea voted nevertheless
    voters = [member for member in members if is_imported or member.user_id in stakes]
    least = 1 if is_imported else GROUP_SIZE_MIN
    if len(voters) < least:
        msg = f"{found.slug} has fewer than {least} members with coins on ideas; its ballots are not exported."
        raise TooFewVoters(msg)

    kind = BallotKind(found.source["ballot_kind"]) if is_imported else BallotKind.CUMULATIVE
    refs = {idea.id: idea.source_ref or str(idea.id) for idea in ideas}
    ballots = _ballots(voters, stakes, refs, kind)
    totals = _Totals.of(stakes)
    return ExportedElection(
        slug=found.slug,
        ideas=len(ideas),
        ballots=len(ballots),
        coins=totals.coins.total(),
        content=write_sections(
            await _meta(session, found, stakes, ideas=len(ideas), ballots=len(ballots)),
            _projects(ideas, refs, totals, kind),
            ballots,
        ),
    )


Stakes = dict[UUID, dict[UUID, int]]
"""Coins by member and idea."""


@dataclass(frozen=True)
class _Totals:
    """Coins and backers by idea."""

    coins: Counter[UUID]
    backers: Counter[UUID]

    @classmethod
    def of(cls, stakes: Stakes) -> _Totals:
        totals = cls(Counter(), Counter())
        for of_member in stakes.values():
            totals.coins.update(of_member)
            totals.backers.update(of_member.keys())
        return totals


async def _find_campaign(session: AsyncSession, campaign: str) -> Campaign:
    by_slug = await campaigns.find_campaign_by_slug(session, campaign)
    if by_slug is not None:
        return by_slug
    try:
        campaign_id = UUID(campaign)
    except ValueError:
        msg = f"There is no campaign {campaign!r}."
        raise CampaignNotFound(msg) from None
    return await campaigns.get_campaign(session, campaign_id)


async def _stakes(session: AsyncSession, campaign_id: UUID, ideas: Sequence[Row[Any]]) -> Stakes:
    """The stakes on these ideas; they are compared with the totals that their settlement stored."""
    stakes: defaultdict[UUID, dict[UUID, int]] = defaultdict(dict)
    idea_ids = {idea.id for idea in ideas}
    for stake in await coins.list_stakes(session, campaign_id):
        if stake.idea_id in idea_ids:
            stakes[stake.user_id][stake.idea_id] = stake.coins
    totals = _Totals.of(stakes)
    for idea in ideas:
        settled = (idea.settled_coins, idea.settled_backers)
        counted = (totals.coins[idea.id], totals.backers[idea.id])
        assert idea.settled_coins is None or settled == counted, (
            f"idea {idea.id}: {settled} settled, {counted} in stakes"
        )
    return dict(stakes)


def _ballots(
    voters: Sequence[Row[Any]], stakes: Stakes, refs: Mapping[UUID, str], kind: BallotKind
) -> list[dict[str, Any]]:
    """The rows of VOTES, in the order of their ids, which says nothing about the voters."""
    key = secrets.token_bytes(32)
    places = {idea_id: place for place, idea_id in enumerate(refs)}
    attributes = shared_attributes([_attributes(voter.attributes) for voter in voters], GROUP_SIZE_MIN)
    # every row has every attribute's column, in one order
    columns = sorted({name for each in attributes for name in each})
    named = [
        sorted(stakes.get(voter.user_id, {}).items(), key=lambda stake: (-stake[1], places[stake[0]]))
        for voter in voters
    ]
    by_rank = kind is BallotKind.ORDINAL and all(_is_borda([amount for _, amount in ballot]) for ballot in named)
    rows = []
    for voter, ballot, shared in zip(voters, named, attributes, strict=True):
        row: dict[str, Any] = {
            "voter_id": hmac.digest(key, voter.user_id.bytes, "sha256").hex()[:_ID_LENGTH],
            **{column: shared.get(column) for column in columns},
        }
        if kind is BallotKind.APPROVAL:
            # an idea that the original ballot names twice has two coins
            row["vote"] = [refs[idea_id] for idea_id, amount in ballot for _ in range(amount)]
        else:
            row["vote"] = [refs[idea_id] for idea_id, _ in ballot]
            if not by_rank:
                row["points"] = [amount for _, amount in ballot]
        rows.append(row)
    return sorted(rows, key=lambda row: row["voter_id"])


def _is_borda(coins: list[int]) -> bool:
    return coins == list(range(len(coins), 0, -1))


def _attributes(attributes: Mapping[str, Any]) -> dict[str, str | int]:
    """The attributes by the names of columns: in lower case and on one line."""
    named: dict[str, str | int] = {}
    for name, value in attributes.items():
        column = joined_lines(normalise(name)).casefold()
        if column and column not in _RESERVED:
            named[column] = value if isinstance(value, int) else joined_lines(normalise(str(value)))
    return named


def _projects(
    ideas: Sequence[Row[Any]], refs: Mapping[UUID, str], totals: _Totals, kind: BallotKind
) -> list[dict[str, Any]]:
    """The rows of PROJECTS. `selected` is a column if the outcome of an idea is known."""
    has_outcome = any(idea.status in _SELECTED for idea in ideas)
    times_named = totals.coins if kind is BallotKind.APPROVAL else totals.backers
    return [
        {
            "project_id": refs[idea.id],
            "cost": idea.cost,
            "votes": times_named[idea.id],
            "score": totals.coins[idea.id],
            "name": joined_lines(normalise(idea.title)),
            "category": _list(idea.categories),
            "target": _list(idea.targets),
            **({"selected": _SELECTED.get(idea.status)} if has_outcome else {}),
            "description": normalise(idea.description),
            "latitude": idea.latitude,
            "longitude": idea.longitude,
        }
        for idea in ideas
    ]


def _list(names: Sequence[str]) -> list[str]:
    """Members of a list that is separated by commas."""
    return [" ".join(name.replace(",", " ").split()) for name in names]


async def _meta(
    session: AsyncSession, campaign: Campaign, stakes: Stakes, *, ideas: int, ballots: int
) -> dict[str, str]:
    """META: that of the imported file, or the campaign's own values, and the numbers of rows."""
    counts = {"num_projects": str(ideas), "num_votes": str(ballots)}
    if campaign.origin == "imported":
        return {**campaign.source["meta"], **counts, "currency": str(campaign.currency)}
    policy = await coins.get_policy(session, campaign.id)
    first_day, last_day = _days(campaign)
    most_on_idea = max(amount for of_member in stakes.values() for amount in of_member.values())
    most = max(sum(of_member.values()) for of_member in stakes.values())
    values: dict[str, Any] = {
        "description": joined_lines(normalise(campaign.title)),
        "instance": last_day.year,
        **counts,
        "budget": campaign.budget_amount,
        "currency": campaign.currency,
        "vote_type": BallotKind.CUMULATIVE.value,
        "rule": "unknown",
        "date_begin": f"{first_day:%d.%m.%Y}",
        "date_end": f"{last_day:%d.%m.%Y}",
        # an earlier policy, or a correction, may have allowed more than the present one
        "max_sum_points": max(policy.coins_per_member, most),
        "max_points": (limit := policy.coins_per_member_and_idea_max) and max(limit, most_on_idea),
        "comment": normalise(campaign.description) or None,
    }
    return {key: str(value) for key, value in values.items() if value is not None}


def _days(campaign: Campaign) -> tuple[date, date]:
    """The first and the last day on which members could move coins."""
    last = min(moment for moment in (campaign.completed_at, campaign.ends_at, campaign.archived_at) if moment)
    first = max(moment for moment in (campaign.activated_at, campaign.starts_at) if moment)
    return min(first, last).date(), last.date()
