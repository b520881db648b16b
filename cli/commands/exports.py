"""`ideamint export`: publish figures, and write campaigns in formats of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands import platform

if TYPE_CHECKING:
    from api.imports.export import ExportedElection
    from api.kernel.db import Database

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

app = typer.Typer(
    invoke_without_command=True, help="Publish the figures of the last build, or write a campaign as a file."
)


@app.callback()
def publish(context: typer.Context, as_json: AsJson = False) -> None:
    """Publish the figures of the last build, or write a campaign as a file.

    Without a command, this writes the same files as `ideamint refresh` without a build. Exits with 1 if there was no build
    yet, or if a check of the files fails.
    """
    if context.invoked_subcommand is None:
        platform.export(as_json)


@app.command()
def pabulib(
    campaign: Annotated[str, typer.Argument(help="The campaign's slug or id.")],
    out: Annotated[Path, typer.Option(help="The file to write; an existing file is replaced.", dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Write a finished campaign as an election in Pabulib's .pb format.

    The file imports again with equal totals. Voters have new random ids in each export, and only attributes that at least 5
    voters share. Exits with 1 if the campaign does not exist, is not over, or has too few voters.
    """
    from cli import console
    from cli.local import installation
    from settings.files import replace_file

    async def work(database: Database) -> ExportedElection:
        from api.imports.export import export_campaign

        async with database.session(statement_timeout_ms=0) as session:
            return await export_campaign(session, campaign)

    with installation.ready() as settings:
        election = installation.with_database(settings, work)
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, election.content)
    figures = {name: value for name, value in vars(election).items() if name != "content"}
    line = f"{out}: {election.slug}, {election.ideas} ideas, {election.ballots} ballots, {election.coins} coins"
    console.result({"file": str(out), "bytes": len(election.content), **figures}, [line], as_json=as_json)
