"""`ideamint user`: people who log in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from uuid import UUID

    from api.kernel.db import Database

app = typer.Typer(no_args_is_help=True, help="Create people who log in.")

ROLES = ("system_admin", "executive")
PERMISSIONS = ("create_campaign",)


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The address to log in with.")],
    name: Annotated[str, typer.Option(help="The name that others see; by default what stands before the @.")] = "",
    role: Annotated[
        list[str] | None, typer.Option(help="system_admin, or executive (reads all campaigns' figures). Repeatable.")
    ] = None,
    may_create_campaigns: Annotated[bool, typer.Option(help="Give the permission create_campaign.")] = False,
    password_file: Annotated[
        typer.FileText | None,
        typer.Option(help="File whose first line is the password, - for stdin; else it is asked for."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Create a user, for instance the first administrator of a new installation.

    The password is asked for on the terminal, or read from a file: never from the command line, where other users of
    the machine could see it.
    """
    from cli import console
    from cli.local import installation

    roles = tuple(role or ())
    for each in roles:
        if each not in ROLES:
            msg = f"no role {each!r}: choose from {', '.join(ROLES)}"
            raise typer.BadParameter(msg, param_hint="--role")
    if password_file is not None:
        password = password_file.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)

    async def work(database: Database) -> UUID:
        from api.auth.service import create_user

        async with database.session() as session:
            user = await create_user(
                session,
                email=email,
                display_name=name or email.partition("@")[0],
                password=password,
                roles=roles,
                permissions=PERMISSIONS if may_create_campaigns else (),
            )
            return user.id

    with installation.ready() as settings:
        user_id = installation.with_database(settings, work)
    console.result({"id": user_id, "email": email, "roles": roles}, [f"Created {email}"], as_json=as_json)
