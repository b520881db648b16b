"""`ideamint user`: user accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.kernel.permissions import ASSIGNABLE, DESCRIPTIONS, Permission, SystemRole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from api.kernel.db import Database

app = typer.Typer(no_args_is_help=True, help="Create user accounts.")


def _describe(choices: Iterable[SystemRole | Permission]) -> str:
    return " ".join(f"{choice}: {DESCRIPTIONS[choice]}." for choice in choices)


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The email address to log in with.")],
    name: Annotated[str, typer.Option(help="The display name; by default the part of the address before the @.")] = "",
    role: Annotated[
        list[SystemRole] | None, typer.Option(help=f"A system role, repeatable. {_describe(SystemRole)}")
    ] = None,
    permission: Annotated[
        list[str] | None, typer.Option(help=f"A permission without a role, repeatable. {_describe(sorted(ASSIGNABLE))}")
    ] = None,
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

    roles, permissions = tuple(map(str, role or ())), tuple(permission or ())
    for each in permissions:
        if each not in ASSIGNABLE:
            msg = f"{each!r} is not one of {', '.join(sorted(ASSIGNABLE))}"
            raise typer.BadParameter(msg, param_hint="--permission")
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
                permissions=permissions,
            )
            return user.id

    with installation.ready() as settings:
        user_id = installation.with_database(settings, work)
    console.result(
        {"id": user_id, "email": email, "roles": roles, "permissions": permissions},
        [f"Created {email}"],
        as_json=as_json,
    )
