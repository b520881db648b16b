"""`ideamint user`: user accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from uuid import UUID

    from api.kernel.db import Database

app = typer.Typer(no_args_is_help=True, help="Create user accounts.")

ROLES = ("system_admin", "executive")
PERMISSIONS = ("create_campaign",)


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The email address to log in with.")],
    name: Annotated[str, typer.Option(help="The display name; by default the part of the address before the @.")] = "",
    role: Annotated[
        list[str] | None,
        typer.Option(help="system_admin, or executive (can read the figures of all campaigns). Repeatable."),
    ] = None,
    may_create_campaigns: Annotated[bool, typer.Option(help="Grant the permission create_campaign.")] = False,
    password_file: Annotated[
        typer.FileText | None,
        typer.Option(help="File whose first line is the password, - for stdin; otherwise the command prompts for it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Create a user, for example the first administrator of a new installation.

    The password is read from a prompt or a file, not from the command line, where other users of the machine could
    see it.
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
