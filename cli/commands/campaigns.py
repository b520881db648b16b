"""`ideamint campaign`: members of campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.member_lists.people import MemberImport
    from api.campaigns.models import Campaign
    from api.kernel.db import Database

app = typer.Typer(no_args_is_help=True, help="Add members to campaigns.")


@app.callback()
def _group() -> None:
    """Keep the name of the only command."""


@app.command("import-members")
def import_members(
    campaign: Annotated[str, typer.Argument(help="The campaign's slug or id.")],
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(help="CSV with the columns email, name and role; further columns are attributes; - for stdin."),
    ],
    continue_on_failure: Annotated[
        bool,
        typer.Option("--continue-on-failure", help="Import the people without an error, and report the others."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the import would do, and change nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make the people of a list members of a campaign; all of them, or none if the list has an error.

    Who has a confirmed account becomes a member, others are invited by mail. Exits with 1 if a person was left out.
    """
    from cli import console
    from cli.local import installation

    content = file.read()

    async def work(database: Database) -> MemberImport:
        from api.campaigns.member_lists.importing import import_members as run
        from api.campaigns.member_lists.reading import read_file

        steps.say("Reading the list")
        people = read_file(content)
        steps.say(f"Importing {len(people.entries):,} people")
        async with database.dry_run() if dry_run else database.session(statement_timeout_ms=0) as session:
            return await run(
                session,
                settings,
                await _find(session, campaign),
                people,
                actor_id=None,
                continue_on_failure=continue_on_failure,
                progress=steps.advance,
            )

    with installation.ready() as settings, console.steps() as steps:
        result = installation.with_database(settings, work)
    done = "Dry run, nothing was changed" if dry_run else "Imported the list"
    lines = [
        (
            f"{done}: {result.added:,} added, {result.invited:,} invited, {result.updated:,} updated, "
            f"{result.unchanged:,} unchanged, {result.failed:,} left out"
        ),
        *(f"line {each.line}, column {each.column}: {each.problem}" for each in result.errors),
    ]
    console.result({"dry_run": dry_run, **result.model_dump()}, lines, as_json=as_json)
    if result.failed:
        raise typer.Exit(1)


async def _find(session: AsyncSession, campaign: str) -> Campaign:
    """The campaign with this slug or id.

    Raises:
        CampaignNotFound: there is none.
    """
    from uuid import UUID

    from api.campaigns import errors, service

    found = await service.find_campaign_by_slug(session, campaign)
    if found is not None:
        return found
    try:
        campaign_id = UUID(campaign)
    except ValueError:
        msg = f"There is no campaign with the slug {campaign!r}."
        raise errors.CampaignNotFound(msg) from None
    return await service.get_campaign(session, campaign_id)
