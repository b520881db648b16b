"""`ideamint events`: consumers of events, their progress, and their parked events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from api.events.status import EventsStatus, Failure
    from api.kernel.db import Database

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ConsumerName = Annotated[str, typer.Argument(metavar="CONSUMER", help="A name that `ideamint events status` shows.")]

app = typer.Typer(
    no_args_is_help=True, help="Show consumers of events; retry, skip or replay events; forget a consumer."
)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show how far each consumer is behind, and its failed events with their errors."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> tuple[EventsStatus, dict[str, list[Failure]]]:
        from api.events.status import get_status, list_failures

        async with database.session() as session:
            found = await get_status(session)
            return found, {each.consumer: await list_failures(session, each.consumer) for each in found.consumers}

    with installation.ready() as settings:
        found, failures = installation.with_database(settings, work)
    data = found.model_dump(mode="json")
    for each in data["consumers"]:
        each["failures"] = [failure.model_dump(mode="json") for failure in failures[each["consumer"]]]
    console.result(data, list(_lines(found, failures)), as_json=as_json)


@app.command()
def retry(
    consumer: ConsumerName,
    event: Annotated[list[UUID] | None, typer.Argument(metavar="[EVENT]...", help="Ids of parked events.")] = None,
    all_parked: Annotated[bool, typer.Option("--all", help="Every parked event of the consumer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Retry parked events at the next run of a worker; their attempts are counted from zero."""
    from cli import console
    from cli.local import installation

    if bool(event) == all_parked:
        msg = "name events, or give --all"
        raise typer.BadParameter(msg)

    async def work(database: Database) -> list[UUID]:
        from api.events.operations import retry_events

        async with database.session() as session:
            return await retry_events(session, consumer, None if all_parked else event)

    with installation.ready() as settings:
        retried = installation.with_database(settings, work)
    console.result(
        {"consumer": consumer, "retried": retried}, [f"{consumer}: {len(retried)} to be retried"], as_json=as_json
    )


@app.command()
def skip(
    consumer: ConsumerName,
    event: Annotated[list[UUID], typer.Argument(metavar="EVENT...", help="Ids of parked events.")],
    as_json: AsJson = False,
) -> None:
    """Skip parked events. Later events of the same campaigns, which waited for them, are handled next."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> None:
        from api.events.operations import skip_events

        async with database.session() as session:
            await skip_events(session, consumer, event)

    with installation.ready() as settings:
        installation.with_database(settings, work)
    console.result({"consumer": consumer, "skipped": event}, [f"{consumer}: {len(event)} skipped"], as_json=as_json)


@app.command()
def replay(
    consumer: ConsumerName,
    from_event: Annotated[UUID | None, typer.Option(help="The first event to replay.", metavar="ID")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Events recorded since this time, in UTC.", formats=["%Y-%m-%dT%H:%M:%S"])
    ] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="All events.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move a consumer back, so that it handles earlier events again. A consumer is never moved forward."""
    from cli import console
    from cli.local import installation

    if (from_event is not None) + (since is not None) + from_beginning != 1:
        msg = "give one of --from-event, --since and --from-beginning"
        raise typer.BadParameter(msg)

    async def work(database: Database) -> int:
        from api.events import operations

        async with database.session() as session:
            recorded_since = since.replace(tzinfo=UTC) if since else None
            return await operations.replay(session, consumer, event_id=from_event, recorded_since=recorded_since)

    with installation.ready() as settings:
        moved = installation.with_database(settings, work)
    line = f"{moved} partitions moved back" if moved else "not moved, since it has handled no event after this position"
    console.result({"consumer": consumer, "moved_partitions": moved}, [f"{consumer}: {line}"], as_json=as_json)


@app.command()
def forget(consumer: ConsumerName, as_json: AsJson = False) -> None:
    """Delete the position and the failed events of a consumer that this version no longer has.

    Readiness would report it as behind forever. Stop the workers of earlier versions first: while one of them handles
    events of the consumer, the command is refused.
    """
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> None:
        from api.domains import select_domains
        from api.events import operations

        declared = {each.name for domain in select_domains(()) for each in domain.consumers}
        async with database.session() as session:
            await operations.forget(session, consumer, declared)

    with installation.ready() as settings:
        installation.with_database(settings, work)
    console.result({"consumer": consumer}, [f"{consumer}: forgotten"], as_json=as_json)


def _lines(found: EventsStatus, failures: dict[str, list[Failure]]) -> list[str]:
    lines = [] if found.consumers else ["no consumer has run yet"]
    for each in found.consumers:
        lines.append(f"{each.consumer}: {each.lag_s:.0f} s behind, {each.parked} parked, {each.waiting} waiting")
        lines += [
            f"  {failure.event_id} {failure.kind}, {failure.attempts} attempts"
            f"{', parked' if failure.parked_at else ''}: {failure.error}"
            for failure in failures[each.consumer]
        ]
    if found.held_back_s:
        lines.append(f"a running transaction delays events, the oldest by {found.held_back_s:.0f} s")
    return lines
