"""An idea as a row of JSON, made by PostgreSQL: the fields of :class:`api.ideas.schemas.IdeaRead` for one reader.

Lists are sent as this text without being read again, which takes less than a tenth of the time of objects and models;
`tests/ideas/test_rows.py` compares it with the model for every kind of reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from api.auth import service as auth
from api.ideas.authors import SHOWN_AUTHOR, sees_authors
from api.ideas.steps import Status
from api.kernel import clock
from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from api.campaigns.dependencies import Access
    from api.ideas.next_steps import NextSteps

VISITOR: Final = UUID(int=0)
"""The id of a reader without a log-in in queries: no idea and no coins are theirs."""

# the totals of one idea that are exact now; those of a list are of the last aggregation
_EXACT = """
    LEFT JOIN LATERAL (
        SELECT coalesce(sum(a.balance_coins), 0)::bigint AS coins,
            (count(*) FILTER (WHERE a.balance_coins > 0))::integer AS backers
        FROM app.coin_accounts AS a WHERE a.idea_id = i.id AND a.kind = 'stake'
    ) AS now ON true
"""
_COINS = {
    False: "f.coins, f.backers",
    True: "coalesce(t.settled_coins, now.coins) AS coins, coalesce(t.settled_backers, now.backers) AS backers",
}

# coins on a settled idea are those before its settlement
_FIELDS = """
    SELECT i.id, i.campaign_id, {author_id} AS author_id, {author_name} AS author_name, i.is_anonymous, i.title, i.description, i.status, i.reason,
        i.reason_code,
        ARRAY(
            SELECT g.name FROM app.idea_tags AS g WHERE g.idea_id = i.id AND g.kind = 'category' ORDER BY g.name
        ) AS category,
        ARRAY(
            SELECT g.name FROM app.idea_tags AS g WHERE g.idea_id = i.id AND g.kind <> 'category' ORDER BY g.name
        ) AS tags,
        {coins}, coalesce(NOT t.is_open AND t.settled_at IS NULL, false) AS is_settling,
        coalesce((
            SELECT CASE WHEN a.balance_coins > 0 THEN a.balance_coins ELSE (
                SELECT -p.amount_coins FROM app.coin_postings AS p
                JOIN app.coin_transfers AS x ON x.id = p.transfer_id AND x.kind IN ('expire', 'settle', 'return')
                WHERE p.account_id = a.id AND p.account_version = a.version
            ) END
            FROM app.coin_accounts AS a WHERE a.idea_id = i.id AND a.user_id = %(user_id)s AND a.kind = 'stake'
        ), 0) AS my_stake_coins,
        i.source_ref, i.latitude, i.longitude, i.version, {submitted_at} AS submitted_at,
        {status_changed_at} AS status_changed_at, coalesce(
            %(next_statuses)s -> (
                i.status || CASE WHEN i.author_id = %(user_id)s THEN ':author' ELSE '' END
                || CASE WHEN i.status_changed_at >= %(undo_since)s THEN ':undo' ELSE '' END
            ), '[]'
        ) AS next_statuses
    FROM app.ideas AS i
    LEFT JOIN app.idea_figures AS f ON f.idea_id = i.id
    LEFT JOIN app.coin_targets AS t ON t.idea_id = i.id
    {totals}
"""


def _moment(column: str) -> str:
    """A moment as the other responses write it: in UTC with Z, and without a fraction that is zero."""
    written = f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return f"replace({written}, '.000000Z', 'Z')"


def select_row(*, is_exact: bool = False) -> str:
    """The SELECT of the fields; the caller adds a condition on `i`. With `is_exact`, the coins are computed now."""
    return _FIELDS.format(
        author_id=SHOWN_AUTHOR,
        author_name=auth.name_in_sql(SHOWN_AUTHOR),
        coins=_COINS[is_exact],
        totals=_EXACT if is_exact else "",
        submitted_at=_moment("i.submitted_at"),
        status_changed_at=_moment("i.status_changed_at"),
    )


@dataclass(frozen=True, kw_only=True)
class Reader:
    """For whom rows are made.

    Attributes:
        user_id: the reader; :data:`VISITOR` without a log-in.
        sees_all: whether they see all submitted ideas.
        sees_authors: whether they see the authors of anonymous ideas.
        steps: the steps that they can take; None if the rows are to have none.
    """

    user_id: UUID
    sees_all: bool = False
    sees_authors: bool = False
    steps: NextSteps | None = None

    @classmethod
    def of(cls, access: Access, steps: NextSteps | None = None) -> Reader:
        """The caller, by their access to a campaign."""
        return cls(
            user_id=access.caller.user_id,
            sees_all=access.may(Permission.VIEW_ALL_IDEAS),
            sees_authors=sees_authors(access),
            steps=steps,
        )


def row_values(reader: Reader) -> dict[str, Any]:
    """The values of the SELECT for a reader."""
    steps = reader.steps
    return {
        "user_id": reader.user_id,
        "sees_authors": reader.sees_authors,
        "deleted_name": auth.DELETED_NAME,
        "undo_since": steps.undo_since if steps else clock.now(),
        "next_statuses": Jsonb(_next_statuses(steps) if steps else {}),
    }


def _next_statuses(steps: NextSteps) -> dict[str, list[Status]]:
    """The steps that the reader can take, by status, whether they are the author, and whether a step can be undone."""
    found = {}
    for status in Status:
        for is_author in (False, True):
            for can_undo in (False, True):
                targets = steps.targets(status, is_author=is_author, can_undo=can_undo)
                if targets:
                    key = f"{status}{':author' if is_author else ''}{':undo' if can_undo else ''}"
                    found[key] = targets
    return found
