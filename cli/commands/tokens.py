"""`ideamint token` and `ideamint service-account`: API tokens of users and of programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from api.kernel.scopes import SCOPES, SERVICE_SCOPES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.api_tokens.models import ApiToken, ServiceAccount
    from api.auth.api_tokens.service import Created
    from api.auth.models import User
    from api.kernel.db import Database

LISTED_MAX = 1000

tokens = typer.Typer(no_args_is_help=True, help="Create, list and revoke API tokens of users.")
service_accounts = typer.Typer(
    no_args_is_help=True, help="Create service accounts, issue and replace their tokens, deactivate them."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Days = Annotated[int | None, typer.Option(help="Lifetime in days; by default and at most IDEAMINT_API_TOKEN_DAYS_MAX.")]
Account = Annotated[str, typer.Argument(metavar="NAME", help="The name of the service account.")]
TokenName = Annotated[str, typer.Option("--name", help="What the token is for.")]


@tokens.command("create")
def create_token(
    email: Annotated[str, typer.Argument(help="The email address of the user whose rights the token has.")],
    name: TokenName,
    scope: Annotated[list[str], typer.Option(help=f"A scope, repeatable: {', '.join(SCOPES)}.")],
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Create a token of a user and print it once. It has the rights of the user, as far as its scopes allow."""
    from cli import console
    from cli.local import installation

    with installation.ready() as settings:

        async def work(database: Database) -> Created:
            from api.auth.api_tokens import service

            async with database.session() as session:
                user = await _find_user(session, email)
                return await service.create_token(
                    session, settings.auth, user, name=name, scopes=scope, days=days, actor_id=None
                )

        created = installation.with_database(settings, work)
    console.result(_with_text(created), _new_lines(created), as_json=as_json)


@tokens.command("list")
def list_tokens(
    email: Annotated[str, typer.Argument(help="The email address of a user; by default all tokens.")] = "",
    as_json: AsJson = False,
) -> None:
    """List tokens with their start, scopes and last use, the newest first; at most 1,000."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> list[ApiToken]:
        from api.auth.api_tokens import service

        async with database.session() as session:
            user_id = (await _find_user(session, email)).id if email else None
            return list(await service.list_tokens(session, user_id=user_id, limit=LISTED_MAX))

    with installation.ready() as settings:
        found = installation.with_database(settings, work)
    console.result(
        {"tokens": [_as_result(token) for token in found]},
        [_as_line(token) for token in found] or ["There are no tokens."],
        as_json=as_json,
    )


@tokens.command("revoke")
def revoke_token(
    token_id: Annotated[UUID, typer.Argument(metavar="ID", help="The id of a token, of `ideamint token list`.")],
    as_json: AsJson = False,
) -> None:
    """Revoke a token of a user or of a service account. Running processes refuse it within a second."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> ApiToken:
        from api.auth.api_tokens import service

        async with database.session() as session:
            return await service.revoke_token(session, token_id, actor_id=None)

    with installation.ready() as settings:
        token = installation.with_database(settings, work)
    console.result(_as_result(token), [f"Revoked {token.prefix}... ({token.name})"], as_json=as_json)


@service_accounts.command("create")
def create_account(
    name: Account,
    owner: Annotated[str, typer.Option(help="The email address of the person who answers for it.")],
    scope: Annotated[list[str], typer.Option(help=f"What it may do, repeatable: {', '.join(SERVICE_SCOPES)}.")],
    as_json: AsJson = False,
) -> None:
    """Create a service account. It has the permissions that its scopes name, in the whole installation."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> ServiceAccount:
        from api.auth.api_tokens import service_accounts

        async with database.session() as session:
            user = await _find_user(session, owner)
            return await service_accounts.create_service_account(
                session, name=name, scopes=scope, owner_id=user.id, actor_id=None
            )

    with installation.ready() as settings:
        account = installation.with_database(settings, work)
    console.result(_account(account), [f"Created the service account {account.name}"], as_json=as_json)


@service_accounts.command("list")
def list_accounts(as_json: AsJson = False) -> None:
    """List service accounts with their state and scopes, the newest first; at most 1,000."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> list[ServiceAccount]:
        from api.auth.api_tokens import service_accounts

        async with database.session() as session:
            return list(await service_accounts.list_service_accounts(session, limit=LISTED_MAX))

    with installation.ready() as settings:
        found = installation.with_database(settings, work)
    lines = [
        f"{each.name}  {'active' if each.is_active else 'deactivated'}  {', '.join(each.scopes)}" for each in found
    ]
    console.result(
        {"service_accounts": [_account(each) for each in found]},
        lines or ["There are no service accounts."],
        as_json=as_json,
    )


@service_accounts.command("issue")
def issue_token(
    account: Account,
    name: TokenName,
    scope: Annotated[list[str] | None, typer.Option(help="A scope of the account, repeatable; by default all.")] = None,
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Create a token of a service account and print it once. It is valid at once."""
    from cli import console
    from cli.local import installation

    with installation.ready() as settings:

        async def work(database: Database) -> Created:
            from api.auth.api_tokens import service

            async with database.session() as session:
                found = await _find_account(session, account)
                return await service.create_token(
                    session, settings.auth, found, name=name, scopes=scope or found.scopes, days=days, actor_id=None
                )

        created = installation.with_database(settings, work)
    console.result(_with_text(created), _new_lines(created), as_json=as_json)


@service_accounts.command("rotate")
def rotate_token(
    account: Account,
    token_id: Annotated[UUID, typer.Argument(metavar="ID", help="The id of the token to replace.")],
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Replace a token by a new one, which is printed once. The old one ends after 7 days."""
    from cli import console
    from cli.local import installation

    with installation.ready() as settings:

        async def work(database: Database) -> tuple[Created, ApiToken]:
            from api.auth.api_tokens import service_accounts

            async with database.session() as session:
                found = await _find_account(session, account)
                rotated = await service_accounts.rotate_token(
                    session, settings.auth, found, token_id, days=days, actor_id=None
                )
                return rotated.created, rotated.old

        created, old = installation.with_database(settings, work)
    ends = f"The old token {old.prefix}... ends at {old.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    console.result(_with_text(created) | {"old_token": _as_result(old)}, [*_new_lines(created), ends], as_json=as_json)


@service_accounts.command("deactivate")
def deactivate_account(account: Account, as_json: AsJson = False) -> None:
    """Revoke all tokens of a service account; it gets no further ones. Its events and changes are kept."""
    from cli import console
    from cli.local import installation

    async def work(database: Database) -> ServiceAccount:
        from api.auth.api_tokens import service_accounts

        async with database.session() as session:
            found = await _find_account(session, account)
            return await service_accounts.deactivate_service_account(session, found, actor_id=None)

    with installation.ready() as settings:
        found = installation.with_database(settings, work)
    console.result(_account(found), [f"Deactivated {found.name}"], as_json=as_json)


async def _find_user(session: AsyncSession, email: str) -> User:
    from api.auth import service
    from api.kernel.errors import NotFound

    found = await service.find_user_by_email(session, email)
    if found is None:
        msg = f"No user has the address {email}; `ideamint user list` shows the accounts."
        raise NotFound(msg)
    return await service.get_user_for_change(session, found.id)


async def _find_account(session: AsyncSession, name: str) -> ServiceAccount:
    from api.auth.api_tokens.service_accounts import find_service_account, get_service_account
    from api.kernel.errors import NotFound

    found = await find_service_account(session, name)
    if found is None:
        msg = f"There is no service account {name}; `ideamint service-account list` shows them."
        raise NotFound(msg)
    return await get_service_account(session, found.id, is_locked=True)


def _as_result(token: ApiToken) -> dict[str, Any]:
    names = (
        "id", "user_id", "service_account_id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at",
        "revoked_at",
    )  # fmt: skip
    return {name: getattr(token, name) for name in names}


def _with_text(created: Created) -> dict[str, Any]:
    return _as_result(created.token) | {"token": created.secret}


def _new_lines(created: Created) -> list[str]:
    ends = f"{created.token.expires_at:%Y-%m-%d}"
    return [created.secret, f"The token ends on {ends} and cannot be shown again (id {created.token.id})"]


def _as_line(token: ApiToken) -> str:
    used = f"used {token.last_used_at:%Y-%m-%d %H:%M} UTC" if token.last_used_at else "never used"
    state = "revoked" if token.revoked_at else f"until {token.expires_at:%Y-%m-%d}"
    return f"{token.id}  {token.prefix}...  {token.name}  {state}  {used}  {', '.join(token.scopes)}"


def _account(account: ServiceAccount) -> dict[str, Any]:
    names = ("id", "name", "scopes", "owner_id", "is_active", "created_at")
    return {name: getattr(account, name) for name in names}
