"""Lists of ideas. One statement per page: the ideas with their totals, the caller's stakes, and their tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import select, text

from api.auth import service as auth
from api.ideas import errors
from api.ideas.authors import SHOWN_AUTHOR
from api.ideas.models import Idea
from api.ideas.steps import PUBLIC, Status
from api.kernel.db import statements_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.next_steps import NextSteps

Sort = Literal["random", "newest", "coins"]

# the sort key is (key, id), both ascending, so that all orders use the same comparison
_KEYS = {
    "random": "hashtextextended(i.id::text || %(seed)s, 0)::numeric",
    "newest": "-extract(epoch FROM i.submitted_at)",
    "coins": "-coalesce(t.coins, 0)::numeric",
}

# totals: for a list, those of the background aggregation; for one idea, computed now
_AGGREGATED = "app.coin_totals"
_EXACT = """(
    SELECT a.idea_id, sum(a.balance_coins)::bigint AS coins, count(*) FILTER (WHERE a.balance_coins > 0)::integer AS backers
    FROM app.coin_accounts AS a WHERE a.idea_id = %(idea_id)s AND a.kind = 'stake' GROUP BY a.idea_id
)"""

_COLUMNS = (
    "id", "campaign_id", "author_id", "title", "description", "status", "reason", "source_ref", "latitude", "longitude",
    "version", "submitted_at", "status_changed_at", "reason_code", "is_anonymous",
)  # fmt: skip

_TEMPLATE = """
    WITH total AS (
        SELECT t.idea_id, NOT t.is_open AND t.settled_at IS NULL AS is_settling,
            coalesce(t.settled_coins, f.coins, 0) AS coins, coalesce(t.settled_backers, f.backers, 0) AS backers
        FROM app.coin_targets AS t
        LEFT JOIN {totals} AS f ON f.idea_id = t.idea_id
        WHERE t.campaign_id = %(campaign_id)s
    ), mine AS (
        SELECT a.idea_id,
            CASE WHEN a.balance_coins > 0 THEN a.balance_coins ELSE coalesce((
                SELECT -p.amount_coins FROM app.coin_postings AS p
                JOIN app.coin_transfers AS x ON x.id = p.transfer_id AND x.kind IN ('expire', 'settle', 'return')
                WHERE p.account_id = a.id AND p.account_version = a.version
            ), 0) END AS coins
        FROM app.coin_accounts AS a
        WHERE a.campaign_id = %(campaign_id)s AND a.user_id = %(user_id)s AND a.kind = 'stake'
    ), keyed AS (
        SELECT {columns}, coalesce(t.coins, 0) AS coins, coalesce(t.backers, 0) AS backers,
            coalesce(t.is_settling, false) AS is_settling, coalesce(m.coins, 0) AS my_stake_coins, {key} AS sort_key
        FROM app.ideas AS i
        LEFT JOIN total AS t ON t.idea_id = i.id
        LEFT JOIN mine AS m ON m.idea_id = i.id
        WHERE i.campaign_id = %(campaign_id)s {filters}
    )
    SELECT {kept}, (SELECT count(*) FROM keyed) AS total, k.coins, k.backers, k.is_settling, k.my_stake_coins, k.sort_key,
        ARRAY(SELECT g.name FROM app.idea_tags AS g WHERE g.idea_id = k.id AND g.kind = 'category' ORDER BY g.name) AS category,
        ARRAY(SELECT g.name FROM app.idea_tags AS g WHERE g.idea_id = k.id AND g.kind <> 'category' ORDER BY g.name) AS tags
    FROM keyed AS k
    {after}
    ORDER BY k.sort_key, k.id
    LIMIT %(limit)s
"""

NOT_FOUND = "There is no idea with this id that you may see."
_STATUSES = text("SELECT id, status FROM app.ideas WHERE id = ANY (:idea_ids)")


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which ideas a list has; all must apply.

    An idea has one of `categories` and one of `tags`, in any case. `words` are a part of its title or description.
    """

    statuses: Sequence[Status] = ()
    mine: bool = False
    backed: bool = False
    author_id: UUID | None = None
    categories: Sequence[str] = ()
    tags: Sequence[str] = ()
    words: str | None = None
    idea_id: UUID | None = None

    def conditions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Conditions in SQL with their values."""
        if self.statuses:
            yield "i.status = ANY (%(statuses)s)", {"statuses": [str(status) for status in self.statuses]}
        if self.mine:
            yield "i.author_id = %(user_id)s", {}
        if self.backed:
            yield "m.idea_id IS NOT NULL", {}
        if self.author_id:
            yield f"({SHOWN_AUTHOR}) = %(author_id)s", {"author_id": self.author_id}
        if self.categories:
            yield _tagged("g.kind = 'category'", "categories"), {"categories": _folded(self.categories)}
        if self.tags:
            yield _tagged("g.kind <> 'category'", "tags"), {"tags": _folded(self.tags)}
        if self.words:
            yield (
                "position(lower(CAST(%(words)s AS text)) IN lower(i.title || E'\\n' || i.description)) > 0",
                {"words": self.words},
            )
        if self.idea_id:
            yield "i.id = %(idea_id)s", {"idea_id": self.idea_id}


def _tagged(kind: str, names: str) -> str:
    return f"EXISTS (SELECT FROM app.idea_tags AS g WHERE g.idea_id = i.id AND {kind} AND lower(g.name) = ANY (%({names})s))"


def _folded(names: Sequence[str]) -> list[str]:
    return [name.lower() for name in names]


@dataclass(frozen=True)
class Found:
    """A page of ideas with their sort keys, and the number of ideas on all pages; 0 if the page is empty.

    An idea has the fields of :class:`api.ideas.schemas.IdeaRead` by name, which are not validated: that would take longer
    than the query.
    """

    ideas: list[tuple[dict[str, Any], tuple[Decimal, UUID]]]
    total: int


async def list_ideas(
    session: AsyncSession,
    campaign_id: UUID,
    filters: Filters | None = None,
    *,
    user_id: UUID,
    sees_all: bool,
    sees_authors: bool = False,
    next_steps: NextSteps | None = None,
    sort: Sort = "newest",
    seed: str = "",
    limit: int,
    after: tuple[Decimal, UUID] | None = None,
) -> Found:
    """A page of ideas that the user may see, each with its sort key for the cursor.

    Totals of a page are those of the last aggregation (:func:`api.coins.service.get_aggregated_at`); those of a single
    idea, with the filter `idea_id`, are exact.

    With `sees_all`, the user sees all ideas; otherwise public ones, their own, and those that they have or had coins on.
    Drafts are visible to their author only, and only in lists of the status `draft`, of own ideas, and of a single idea.
    With `sees_authors`, the user sees the authors of anonymous ideas (:mod:`api.ideas.authors`); a filter by author finds only
    ideas whose authors the user sees. `seed` determines the random order. `next_steps` are those of the user; without them no idea has next statuses.
    """
    filters = filters or Filters()
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "user_id": user_id,
        "sees_authors": sees_authors,
        "limit": limit,
    }
    if sort == "random":
        values["seed"] = seed
    asks_for_drafts = filters.mine or Status.DRAFT in filters.statuses or filters.idea_id is not None
    conditions = [f"(i.status <> 'draft'{' OR i.author_id = %(user_id)s' if asks_for_drafts else ''})"]
    if not sees_all:
        conditions.append("(i.status = ANY (%(public)s) OR i.author_id = %(user_id)s OR m.idea_id IS NOT NULL)")
        values["public"] = sorted(PUBLIC)
    for condition, of_condition in filters.conditions():
        conditions.append(condition)
        values |= of_condition
    continued = ""
    if after:
        continued = "WHERE (k.sort_key, k.id) > (CAST(%(after_key)s AS numeric), CAST(%(after_id)s AS uuid))"
        values |= {"after_key": after[0], "after_id": after[1]}
    statement = _TEMPLATE.format(
        columns=", ".join(f"{SHOWN_AUTHOR} AS {name}" if name == "author_id" else f"i.{name}" for name in _COLUMNS),
        kept=", ".join(f"k.{name}" for name in _COLUMNS),
        totals=_EXACT if filters.idea_id else _AGGREGATED,
        key=_KEYS[sort],
        filters=" ".join(f"AND {condition}" for condition in conditions),
        after=continued,
    )
    statements = await statements_of(session)
    rows = await statements.fetch(statement, **values)
    names = await auth.find_names(statements, {row["author_id"] for row in rows})
    total = rows[0]["total"] if rows else 0
    return Found([(_as_read(row, names, next_steps), (row.pop("sort_key"), row["id"])) for row in rows], total)


async def get_idea(session: AsyncSession, idea_id: UUID, *, lock: bool = False) -> Idea:
    """The idea; with `lock`, its row is locked and then read again.

    Raises:
        IdeaNotFound: there is no idea with this id.
    """
    query = select(Idea).where(Idea.id == idea_id)
    idea = await session.scalar(
        query.with_for_update(key_share=True).execution_options(populate_existing=True) if lock else query
    )
    if idea is None:
        raise errors.IdeaNotFound(NOT_FOUND)
    return idea


def check_submitted(idea: Idea) -> None:
    """Refuse a draft.

    Raises:
        NotSubmitted: the idea is one.
    """
    if idea.status == Status.DRAFT:
        msg = "The idea is a draft, which only its author sees; submit it first."
        raise errors.NotSubmitted(msg)


async def find_statuses(session: AsyncSession, idea_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The statuses of these ideas by id; unknown ids are omitted."""
    rows = await session.execute(_STATUSES, {"idea_ids": list(idea_ids)})
    return {row.id: row.status for row in rows}


def _as_read(row: dict[str, Any], names: Mapping[UUID, str], steps: NextSteps | None) -> dict[str, Any]:
    """The row of an idea as the fields of a response."""
    del row["total"]
    row["author_name"] = names.get(row["author_id"])
    row["next_statuses"] = steps.statuses(row["status"], row["author_id"], row["status_changed_at"]) if steps else []
    return row
