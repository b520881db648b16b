"""`ideamint user`: user accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.kernel.permissions import ASSIGNABLE, DESCRIPTIONS, Permission, SystemRole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from api.auth.models import User
    from api.auth.rosters.people import RosterResult
    from api.kernel.db import Database

app = typer.Typer(no_args_is_help=True, help="Create and change user accounts.")


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
    password_hash_file: Annotated[
        typer.FileText | None,
        typer.Option(
            help="File whose first line is the password's hash from another system, bcrypt or argon2id; instead of a "
            "password. It is replaced at the first log-in."
        ),
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
    if password_file is not None and password_hash_file is not None:
        msg = "give either a password or its hash"
        raise typer.BadParameter(msg, param_hint="--password-hash-file")
    password = password_hash = None
    if password_hash_file is not None:
        password_hash = password_hash_file.readline().strip()
    elif password_file is not None:
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
                password_hash=password_hash,
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


Email = Annotated[str, typer.Argument(help="The email address of the user.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command("list")
def list_accounts(
    search: Annotated[str, typer.Argument(help="Part of the name or of the address.")] = "",
    as_json: AsJson = False,
) -> None:
    """List accounts with their state and rights, the newest first; at most 1,000."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> list[User]:
        from api.auth.service import list_users
        from api.events import payloads
        from api.events.service import record_event

        async with database.session() as session:
            found = list(await list_users(session, q=search, limit=1000))
            payload = payloads.PersonalDataRead(what="users_by_command", rows=len(found))
            await record_event(session, payload, actor_id=None)
            return found

    with installation.ready() as settings:
        users = installation.with_database(settings, work)
    console.result(
        {"users": [_as_result(user) for user in users]},
        [_as_line(user) for user in users] or ["No account matches."],
        as_json=as_json,
    )


@app.command()
def invite(
    email: Annotated[str, typer.Argument(help="The email address of the person; the invitation is mailed to it.")],
    name: Annotated[str, typer.Option(help="The display name; by default the part of the address before the @.")] = "",
    role: Annotated[list[SystemRole] | None, typer.Option(help="A system role of the new account, repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prepare an account and mail its owner a link to choose a password; the link is valid for 14 days."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> User:
        from api.auth.invitations import invite_user

        display_name, roles = name or email.partition("@")[0], tuple(map(str, role or ()))
        async with database.session() as session:
            return await invite_user(session, email=email, display_name=display_name, roles=roles, actor_id=None)

    with installation.ready() as settings:
        user = installation.with_database(settings, work)
    console.result(_as_result(user), [f"Invited {user.email}", _as_line(user)], as_json=as_json)


@app.command()
def delete(email: Email, as_json: AsJson = False) -> None:
    """Deactivate a user and hide their name. `ideamint user reactivate` undoes it for 30 days."""
    _change(email, "delete_user", "Deleted", as_json=as_json)


@app.command()
def deactivate(email: Email, as_json: AsJson = False) -> None:
    """End the sessions of a user and refuse new log-ins. Ideas, coins and memberships are kept."""
    _change(email, "deactivate_user", "Deactivated", as_json=as_json)


@app.command()
def reactivate(email: Email, as_json: AsJson = False) -> None:
    """Let a deactivated user log in again, with the roles and memberships of before."""
    _change(email, "reactivate_user", "Reactivated", as_json=as_json)


@app.command("log-out")
def log_out(email: Email, as_json: AsJson = False) -> None:
    """End all sessions of a user; the user can log in again with the same password."""
    _change(email, "end_all_sessions", "Ended all sessions of", as_json=as_json)


@app.command()
def rights(
    email: Email,
    role: Annotated[
        list[SystemRole] | None, typer.Option(help="A system role, repeatable; replaces all present roles.")
    ] = None,
    permission: Annotated[
        list[str] | None, typer.Option(help="A permission, repeatable; replaces all present permissions.")
    ] = None,
    no_roles: Annotated[bool, typer.Option("--no-roles", help="Remove all roles.")] = False,
    no_permissions: Annotated[bool, typer.Option("--no-permissions", help="Remove all permissions.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace the roles or the permissions of a user; what no option names stays as it is."""
    if no_roles and role:
        msg = "give either roles or --no-roles"
        raise typer.BadParameter(msg, param_hint="--role")
    if no_permissions and permission:
        msg = "give either permissions or --no-permissions"
        raise typer.BadParameter(msg, param_hint="--permission")
    roles = [str(each) for each in role or ()] if role or no_roles else None
    permissions = list(permission or ()) if permission or no_permissions else None
    if roles is None and permissions is None:
        msg = "nothing to change: give --role, --no-roles, --permission or --no-permissions"
        raise typer.BadParameter(msg)
    _change(email, "change_rights", "Changed the rights of", as_json=as_json, roles=roles, permissions=permissions)


@app.command("import-roster")
def import_roster(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(help="CSV with the columns name, email, department, external id and active; - for stdin."),
    ],
    deactivate_missing: Annotated[
        bool, typer.Option("--deactivate-missing", help="Deactivate the accounts of people who are not in the file.")
    ] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="Deactivate also more than 20% of the accounts.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the import would do, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create and update the accounts of a list of people; all of them, or none if the list has an error.

    New accounts have no password. Their owners log in by an identity provider, or ask for a link to set a password.
    """
    from cli import console
    from cli.local import installation

    content = file.read()

    async def work(database: Database) -> RosterResult:
        from api.auth.rosters.importing import import_roster
        from api.auth.rosters.reading import read_rows

        rows = read_rows(content)
        async with database.dry_run() if dry_run else database.session(statement_timeout_ms=0) as session:
            return await import_roster(
                session, settings, rows, actor_id=None, deactivate_missing=deactivate_missing, confirmed=confirm
            )

    with installation.ready() as settings:
        result = installation.with_database(settings, work)
    done = "Dry run, nothing was changed" if dry_run else "Imported the roster"
    lines = [
        (
            f"{done}: {result.created:,} created, {result.updated:,} updated, {result.unchanged:,} unchanged, "
            f"{len(result.deactivated):,} deactivated"
        ),
        *([f"deleted here, and not changed: {result.deleted:,}"] if result.deleted else []),
        *(f"deactivated: {email}" for email in result.deactivated),
        *(f"kept, although not active in the roster: {email}" for email in result.kept),
        *(f"active in the roster, but deactivated here: {email}" for email in result.still_deactivated),
        *(f"has another address here: {email}" for email in result.other_addresses),
    ]
    console.result({"dry_run": dry_run, **result.model_dump()}, lines, as_json=as_json)


@app.command("reset-factors")
def reset_factors(email: Email, as_json: AsJson = False) -> None:
    """Remove the second factors of a user who has lost them, and end their sessions; the user is informed by mail."""
    _change(email, "reset", "Removed the second factors of", as_json=as_json, of="api.auth.second_factors.service")


def _change(
    email: str, function: str, done: str, *, as_json: bool, of: str = "api.auth.lifecycle", **changes: object
) -> None:
    """Call a function of the module `of` on the user with this address, and print the account."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> User:
        from importlib import import_module

        from api.auth import lifecycle, service
        from api.kernel.errors import NotFound

        async with database.session() as session:
            found = await service.find_user_by_email(session, email)
            if found is None:
                msg = f"No user has the address {email}; `ideamint user list` shows the accounts."
                raise NotFound(msg)
            user = await lifecycle.lock_user(session, found.id)
            await getattr(import_module(of), function)(session, user, actor_id=None, **changes)
            return user

    with installation.ready() as settings:
        user = installation.with_database(settings, work)
    console.result(_as_result(user), [f"{done} {user.email}", _as_line(user)], as_json=as_json)


def _as_result(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "display_name": user.display_name,
        "roles": user.roles,
        "permissions": user.permissions,
        "is_active": user.is_active,
        "email_verified_at": user.email_verified_at,
    }


def _as_line(user: User) -> str:
    state = "active" if user.is_active else "deleted" if user.deleted_at else "deactivated"
    if user.is_active and user.email_verified_at is None:
        state = "unconfirmed"
    return "  ".join(
        (user.email or "(no address)", user.display_name, state, ", ".join((*user.roles, *user.permissions)))
    )
