"""Commands on the application's data: the demo and imports."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from api.imports.service import Progress
    from api.kernel.db import Database
    from cli.console import Steps

_LISTED_MAX = 20

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def demo(as_json: AsJson = False) -> None:
    """Create the demo: campaigns of a fictitious company over nine months.

    It has about 200 members and 100 ideas, created through the same services and ledger as real data. An existing demo
    is not changed. Prints the log-ins. Refused in production, because the passwords are public.
    """
    import settings as configuration
    from cli import console
    from cli.demo.run import make_demo, refuse_production
    from cli.local import installation

    settings = configuration.load()
    refuse_production(settings)
    with installation.ready(settings) as running, console.steps() as steps:
        steps.say("creating the demo")
        result = installation.with_database(running, lambda database: make_demo(database, progress=steps.advance))
    made = asdict(result.made) if result.made else None
    lines = [
        ", ".join(f"{count} {name}" for name, count in made.items()) + f" of {result.company}"
        if made
        else f"the demo of {result.company} exists already; nothing was changed",
        *(f"  {login.role}: {login.email}  {login.password}" for login in result.logins),
    ]
    data = {"company": result.company, "made": made, "logins": [asdict(login) for login in result.logins]}
    console.result(data, lines, as_json=as_json)


def _missing(what: str, default: str = "", *, example: str = "") -> Any:
    """An option for a value that files may leave out."""
    parts = [
        f"The {what} of files that state none",
        f", such as {example}" if example else "",
        f"; by default {default}" if default else "",
    ]
    return typer.Option(help="".join(parts) + ".", callback=_one_line)


def _one_line(value: str | None) -> str | None:
    from api.kernel.texts import single_line

    try:
        return None if value is None else single_line(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


imports = typer.Typer(no_args_is_help=True, help="Import from files.")


@imports.command()
def pabulib(
    files: Annotated[list[Path], typer.Argument(help="Files in Pabulib's .pb format.", metavar="FILE")],
    currency: Annotated[
        str | None,
        typer.Option(
            help="ISO 4217 code of the amounts in the files; by default the file's own currency or that of its country."
        ),
    ] = None,
    country: Annotated[str | None, _missing("country")] = None,
    unit: Annotated[str | None, _missing("city or organisation", "their description")] = None,
    instance: Annotated[str | None, _missing("instance", "the year of the vote")] = None,
    date: Annotated[
        str | None, _missing("day or year of the vote", "the year in their instance", example="2023-05-31")
    ] = None,
    accept_counts: Annotated[
        bool, typer.Option(help="Import a file whose totals are wrong, if its rows are valid.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import participatory-budgeting elections.

    Each election becomes a completed campaign: projects become ideas, voters members, ballots allocations of coins.
    Each file is imported in one transaction; a repeated import changes nothing. Exits with 1 if a file was refused; the
    other files are imported.
    """
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        from api.imports.service import Defaults, import_election
        from api.kernel.errors import DomainError

        imported: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for path in files:
            try:
                with console.steps() as steps:
                    steps.say(f"{path.name}: reading")
                    async with database.session(statement_timeout_ms=0) as session:
                        election = await import_election(
                            session,
                            path,
                            actor_id=None,
                            defaults=Defaults(country=country, unit=unit, instance=instance, date=date),
                            currency=currency,
                            accept_counts=accept_counts,
                            progress=_as_progress(steps, path.name),
                        )
            except (DomainError, OSError) as error:
                reason = f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error)
                console.fail(reason)
                refused.append(getattr(error, "extensions", {}) | {"file": str(path), "reason": reason})
            else:
                imported.append(election.as_dict())
        return imported, refused

    with installation.ready() as settings:
        imported, refused = installation.with_database(settings, work)
    lines = [
        f"{each['file_name']}: {each['status']} as {each['slug']}, {each['ideas']} ideas, {each['ballots']} ballots, "
        f"{each['coins']} coins in {each['allocations']} allocations"
        for each in imported
    ]
    lines += [line for election in imported for line in _warnings(election)]
    console.result({"imported": imported, "refused": refused}, lines, as_json=as_json)
    if refused:
        raise typer.Exit(1)


def _warnings(election: dict[str, Any]) -> list[str]:
    """What differs between an imported file and its own rules and totals."""
    lines = [f"  wrong total: {each}" for each in election["differences"]]
    irregular = election["irregular"]
    if irregular:
        outcome = "are imported" if election["irregular_counted"] else "are left out"
        name = election["file_name"]
        lines.append(f"  {name}: {len(irregular)} ballots violate a limit and {outcome}, as in the published totals")
        lines += [f"    {each}" for each in irregular[:_LISTED_MAX]]
    if len(irregular) > _LISTED_MAX:
        lines.append(f"    and {len(irregular) - _LISTED_MAX} more, on the lines that --json lists")
    return lines


def _as_progress(steps: Steps, file_name: str) -> Progress:
    """A progress function that shows each stage of an import as a step."""
    current = ""

    def show(stage: str, done: int, total: int) -> None:
        nonlocal current
        if stage != current:
            current = stage
            steps.say(f"{file_name}: {stage}")
        steps.advance(done, total)

    return show
