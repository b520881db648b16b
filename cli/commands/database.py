"""`ideamint db`: the database server of this installation."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Start, stop and migrate the database.")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def start(as_json: AsJson = False) -> None:
    """Start the embedded PostgreSQL and leave it running, until `ideamint db stop`.

    The other commands start it for as long as they need it; this keeps it for your own tools. With
    IDEAMINT_DATABASE_URL set it prepares that server: roles and databases that are missing are made.
    """
    import settings
    from cli import console
    from cli.local import databases, postgres

    running = postgres.ensure(settings.load(), keep=True)
    address = databases.without_login(str(running.database.url))
    console.result({"url": address}, [f"PostgreSQL answers at {address}"], as_json=as_json)


@app.command()
def stop(as_json: AsJson = False) -> None:
    """Stop the embedded PostgreSQL, ending whatever is connected to it."""
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
    """Print the URL of the running database with its password, for psql and the like: psql "$(ideamint db url)"."""
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
    """Bring the tables to this version. `ideamint up` does it by itself; safe to repeat."""
    import settings
    from cli import console
    from cli.local import postgres

    with postgres.running(settings.load()) as running:
        revision = postgres.migrate(running)
    console.result({"revision": revision}, [f"The database is at revision {revision}"], as_json=as_json)
