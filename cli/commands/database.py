"""`ideamint db`: the database server of this installation."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Start, stop and migrate the database.")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def start(as_json: AsJson = False) -> None:
    """Start the embedded PostgreSQL and leave it running, until `ideamint db stop`.

    Other commands start it only while they run; use this command for your own tools. With IDEAMINT_DATABASE_URL set
    it prepares that server: it creates missing roles and databases.
    """
    import settings
    from cli import console
    from cli.local import databases, postgres

    running = postgres.ensure(settings.load(), keep=True)
    address = databases.without_login(str(running.database.url))
    console.result({"url": address}, [f"PostgreSQL is running at {address}"], as_json=as_json)


@app.command()
def stop(as_json: AsJson = False) -> None:
    """Stop the embedded PostgreSQL and end its connections. It stays stopped until `ideamint db start`."""
    import settings
    from cli import console
    from cli.local import postgres

    stopped = postgres.stop(settings.load())
    line = "PostgreSQL is stopped" if stopped else "PostgreSQL was not running"
    console.result({"stopped": stopped}, [line], as_json=as_json)


@app.command()
def url(
    role: Annotated[
        str, typer.Option(help="Log in as: admin, app, dbt, reader or dagster (reader may only read marts).")
    ] = "admin",
    as_json: AsJson = False,
) -> None:
    """Print the URL of the running database with the password, for example for psql "$(ideamint db url)"."""
    import settings
    from cli import console
    from cli.local import postgres
    from cli.local.databases import ROLES

    loaded = settings.load()
    if role not in {"admin", *ROLES}:
        msg = f"no role {role!r}: choose admin, {', '.join(ROLES)}"
        raise typer.BadParameter(msg, param_hint="--role")
    if loaded.database.is_embedded and not postgres.is_running(loaded):
        console.fail("PostgreSQL is not running; `ideamint db start` starts it")
        raise typer.Exit(1)
    running = postgres.ensure(loaded)
    if role == "admin":
        address = postgres.admin_url(running)
    else:
        address = running.database.role_url(role, running.database.dagster_name if role == "dagster" else None)
    console.result({"url": address}, [address], as_json=as_json)


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Migrate the database to this version. `ideamint up` does it automatically. Can be repeated."""
    import settings
    from cli import console
    from cli.local import postgres

    with postgres.running(settings.load()) as running:
        revision = postgres.migrate(running)
    console.result({"revision": revision}, [f"The database is at revision {revision}"], as_json=as_json)


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Confirm that everything in the database is deleted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete everything in the database and create empty tables. This cannot be undone.

    `pg_dump "$(ideamint db url)"` saves the contents first. Published figures stay until `ideamint refresh`.
    """
    import settings
    from cli import console
    from cli.local import postgres

    if not yes:
        console.fail("this deletes everything in the database; `ideamint db reset --yes` does it")
        raise typer.Exit(1)
    with postgres.running(settings.load()) as running:
        revision = postgres.reset(running)
    console.result({"revision": revision}, [f"The database is empty, at revision {revision}"], as_json=as_json)
