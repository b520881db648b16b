"""Writes the rows of an election outside the ledger, in bulk with COPY.

The commands of the services cannot create them, because their times are in the past and the campaign is already
completed. Coins are moved through `api.coins.service`, as in all other code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from psycopg import AsyncConnection, sql
from sqlalchemy import text

from api.imports.naming import slugs_of, title_of
from api.kernel.ids import uuid7
from api.kernel.texts import joined_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.imports.elections import Election, Project

_CAMPAIGN = text(
    """
    INSERT INTO app.campaigns (id, slug, title, description, kind, status, origin, join_policy, budget_amount, currency,
        starts_at, submissions_close_at, ends_at, activated_at, completed_at, source, created_by, updated_by)
    VALUES (:id, :slug, :title, :description, 'budget', 'completed', 'imported', 'by_manager', :budget, :currency,
        :begins_at, :begins_at, :ends_at, :begins_at, :counted_at, CAST(:source AS jsonb), :actor_id, :actor_id)
    ON CONFLICT (slug) DO NOTHING
    RETURNING slug
    """
)
_STATUS_BY_SELECTED = {0: "not_selected", 1: "accepted"}


def status_of(project: Project) -> str:
    """The status of a project's idea; values other than 0 and 1 are explained only in the file's comment."""
    return (
        "outcome_unknown" if project.selected is None else _STATUS_BY_SELECTED.get(project.selected, "outcome_unknown")
    )


async def insert_campaign(
    session: AsyncSession, campaign_id: UUID, election: Election, *, currency: str, actor_id: UUID | None
) -> str:
    """Insert the completed campaign of an election; returns its slug, the first that is free."""
    source = {
        "format": "pabulib",
        "file_name": election.file_name,
        "sha256": election.sha256.hex(),
        "ballot_kind": election.kind.value,
        "has_outcome": election.has_outcome,
        "meta": dict(election.meta),
        "supplied": dict(election.supplied),
        "differences": [{"line": d.line, "reason": d.reason} for d in election.differences],
        "irregular_ballots": {
            "are_counted": election.irregular_counted,
            "ballots": [{"line": fault.line, "reason": fault.reason} for fault in election.irregular],
        },
    }
    for wanted in slugs_of(election.meta, election.sha256.hex()):
        slug: str | None = await session.scalar(
            _CAMPAIGN,
            {
                "id": campaign_id,
                "slug": wanted,
                "title": title_of(election.meta),
                "description": election.meta.get("comment") or election.meta.get("comments") or "",
                "budget": election.budget,
                "currency": currency,
                "begins_at": election.begins_at,
                "ends_at": election.ends_at,
                "counted_at": election.counted_at,
                "source": orjson.dumps(source).decode(),
                "actor_id": actor_id,
            },
        )
        if slug:
            return slug
    msg = f"other campaigns already have every slug of {election.file_name}"
    raise AssertionError(msg)


async def copy_members(
    session: AsyncSession, campaign_id: UUID, election: Election, *, actor_id: UUID | None
) -> list[UUID]:
    """Insert a user who cannot log in and a membership for each ballot; returns the users' ids in the ballots' order."""
    user_ids = [uuid7() for _ in election.ballots]
    await _copy(
        session,
        "users",
        ("id", "display_name", "is_imported", "created_by", "updated_by"),
        (
            (user_id, joined_lines(f"Voter {ballot.voter_ref}"), True, actor_id, actor_id)
            for user_id, ballot in zip(user_ids, election.ballots, strict=True)
        ),
    )
    await _copy(
        session,
        "memberships",
        ("id", "campaign_id", "user_id", "joined_at", "attributes", "created_by", "updated_by"),
        (
            (
                uuid7(),
                campaign_id,
                user_id,
                election.counted_at,
                orjson.dumps(ballot.attributes).decode(),
                actor_id,
                actor_id,
            )
            for user_id, ballot in zip(user_ids, election.ballots, strict=True)
        ),
    )
    return user_ids


async def copy_ideas(
    session: AsyncSession, campaign_id: UUID, election: Election, *, currency: str, actor_id: UUID | None
) -> dict[str, UUID]:
    """Insert an idea per project with its tags, cost and history; returns the ideas' ids by project ref."""
    idea_ids = {project.ref: uuid7() for project in election.projects}
    begins_at, counted_at = election.begins_at, election.counted_at
    await _copy(
        session,
        "ideas",
        (
            *("id", "campaign_id", "title", "description", "status", "submitted_at", "status_changed_at"),
            *("latitude", "longitude", "source_ref", "created_by", "updated_by"),
        ),
        (
            (
                *(idea_ids[p.ref], campaign_id, p.title, p.description, status_of(p), begins_at, counted_at),
                *(p.latitude, p.longitude, p.ref, actor_id, actor_id),
            )
            for p in election.projects
        ),
    )
    await _copy(session, "idea_tags", ("idea_id", "kind", "name"), _tags(election, idea_ids))
    await _copy(
        session,
        "idea_status_changes",
        ("id", "idea_id", "from_status", "to_status", "changed_at", "changed_by", "reason"),
        (
            (uuid7(), idea_ids[p.ref], from_status, to_status, at, actor_id, reason)
            for p in election.projects
            for from_status, to_status, at, reason in (
                (None, "competing", begins_at, None),
                ("competing", status_of(p), counted_at, _reason(p)),
            )
        ),
    )
    await _copy(
        session,
        "idea_valuations",
        ("id", "idea_id", "kind", "amount", "currency", "valued_on", "source", "recorded_by"),
        (
            (uuid7(), idea_ids[p.ref], "expected_cost", p.cost, currency, election.first_day, source, actor_id)
            for p in election.projects
            for source in [f"cost in {election.file_name}"[:500]]
            if p.cost is not None
        ),
    )
    return idea_ids


def _tags(election: Election, idea_ids: dict[str, UUID]) -> Iterator[tuple[UUID, str, str]]:
    for project in election.projects:
        for kind, names in (("category", project.categories), ("target", project.targets), ("tag", project.places)):
            for name in names:
                yield idea_ids[project.ref], kind, name


def _reason(project: Project) -> str | None:
    if status_of(project) != "outcome_unknown":
        return None
    if project.selected is None:
        return "the file does not state whether it was selected"
    return f"selected is {project.selected} in the file, which its comment explains"


async def _copy(session: AsyncSession, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """COPY rows into a table of schema app, in the session's transaction."""
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, AsyncConnection)
    statement = sql.SQL("COPY {}.{} ({}) FROM STDIN").format(
        sql.Identifier("app"), sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            await copy.write_row(row)
