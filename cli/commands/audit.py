"""`ideamint audit`: the audit trail of the installation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.events.kinds import EventKind

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.audit.search import AuditedEvent, Filters
    from api.kernel.db import Database

SHOWN_MAX = 1000


def audit(
    actor: Annotated[str, typer.Option(help="Email address, or id, of the user or service account who did it.")] = "",
    person: Annotated[str, typer.Option(help="Email address, or id, of the person affected.")] = "",
    kind: Annotated[list[EventKind] | None, typer.Option(help="A kind of event, repeatable; docs/events.md.")] = None,
    campaign: Annotated[UUID | None, typer.Option(help="Id of the campaign.", metavar="ID")] = None,
    idea: Annotated[UUID | None, typer.Option(help="Id of the idea.", metavar="ID")] = None,
    token: Annotated[UUID | None, typer.Option(help="Id of the API token of the request.", metavar="ID")] = None,
    address: Annotated[str | None, typer.Option(help="Network address of the request.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Recorded at this time or later, in UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(help="Recorded before this time, in UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=SHOWN_MAX, help="How many events are shown.")] = 50,
    csv: Annotated[
        Path | None, typer.Option(help="Write all found events to this file as CSV instead.", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Search the events of the installation, the newest first. The search itself is recorded as an event.

    Movements of coins are in the coin audit of their campaign.
    """
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> list[AuditedEvent]:
        from api.audit import search
        from api.events import payloads
        from api.events.service import record_event

        async with database.session() as session:
            filters = search.Filters(
                actor_id=await _find(session, actor) if actor else None,
                user_id=await _find(session, person) if person else None,
                campaign_id=campaign,
                idea_id=idea,
                token_id=token,
                address=address,
                kinds=kind or None,
                since=since.replace(tzinfo=UTC) if since else None,
                until=until.replace(tzinfo=UTC) if until else None,
            )
            found = [] if csv else await search.search_events(session, filters, limit=limit)
            payload = payloads.PersonalDataRead(
                what="audit_export_by_command" if csv else "audit_by_command", filters=filters.names
            )
            await record_event(session, payload, actor_id=None, user_id=filters.user_id)
        if csv:
            await _write(database, filters, csv)
        return found

    with installation.ready() as settings:
        events = installation.with_database(settings, work)
    if csv:
        console.result({"file": str(csv)}, [str(csv)], as_json=as_json)
        return
    console.result(
        {"events": [event.model_dump(mode="json") for event in events]},
        [_as_line(event) for event in events] or ["No event matches."],
        as_json=as_json,
    )


async def _write(database: Database, filters: Filters, file: Path) -> None:
    from api.audit import search

    with file.open("w", encoding="utf-8", newline="") as opened:
        async for part in search.write_csv(database, filters):
            opened.write(part)


async def _find(session: AsyncSession, who: str) -> UUID:
    """The id of a user with this address, or the id itself."""
    from api.auth.service import find_user_by_email
    from api.kernel.errors import NotFound

    try:
        return UUID(who)
    except ValueError:
        found = await find_user_by_email(session, who)
    if found is None:
        msg = f"No user has the address {who}; `ideamint user list` shows the accounts."
        raise NotFound(msg)
    return found.id


def _as_line(event: AuditedEvent) -> str:
    actor = event.actor_name or event.actor_id or "-"
    parts = [f"{event.recorded_at:%Y-%m-%d %H:%M:%S}", event.kind, f"by {actor}"]
    if event.user_id is not None and event.user_id != event.actor_id:
        parts.append(f"on {event.user_name or event.user_id}")
    parts.append(f"from {event.address}" if event.address else "")
    parts += [f"{name}={value}" for name, value in event.data.items()]
    return "  ".join(part for part in parts if part)
