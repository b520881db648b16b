"""`ideamint keys`: the keys that sign access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.auth.keys import SigningKey
    from api.kernel.db import Database

app = typer.Typer(no_args_is_help=True, help="Show and replace the keys that sign access tokens.")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command("list")
def list_stored(as_json: AsJson = False) -> None:
    """List the keys: from when each signs, and until when it is accepted."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> list[SigningKey]:
        from api.auth.keys import list_keys

        async with database.session() as session:
            return await list_keys(session)

    with installation.ready() as settings:
        keys = installation.with_database(settings, work)
    lines = [
        f"{key.kid}  signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC, "
        + (f"accepted until {key.accepted_until:%Y-%m-%d %H:%M:%S} UTC" if key.accepted_until else "in use")
        for key in keys
    ]
    console.result(
        {"keys": [{"kid": k.kid, "signs_from": k.signs_from, "accepted_until": k.accepted_until} for k in keys]},
        lines or ["There is no key yet: the API creates the first one."],
        as_json=as_json,
    )


@app.command()
def rotate(
    at_once: Annotated[
        bool,
        typer.Option(help="For a stolen key: accept the old keys no more. All clients have to refresh their tokens."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replace the key. The new one signs after 5 minutes; tokens of the old one stay valid until they expire."""
    from cli import console
    from cli.local import installation

    with installation.ready() as settings:

        async def work(database: Database) -> SigningKey:
            from api.auth.keys import rotate_keys

            async with database.session() as session:
                return await rotate_keys(session, settings.auth, at_once=at_once)

        key = installation.with_database(settings, work)
    console.result(
        {"kid": key.kid, "signs_from": key.signs_from},
        [f"Created the key {key.kid}, which signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC"],
        as_json=as_json,
    )
