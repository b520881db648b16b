"""The route that imports a roster, as JSON or as CSV."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BeforeValidator

from api.auth.dependencies import Principal, requires
from api.auth.errors import EmailTaken, RosterDeactivatesMany
from api.auth.rosters.importing import import_roster
from api.auth.rosters.people import Roster, RosterResult
from api.auth.rosters.reading import COLUMNS, read_roster
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput
from api.kernel.permissions import Permission
from api.kernel.web import DryRun, Session
from api.kernel.web import router as new_router

PATH = "/rosters"
BODY_BYTES_MAX = 5 * 1_048_576

router = new_router("", "users")

LoggedInAdministrator = Annotated[Principal, Depends(requires(Permission.MANAGE_USERS, is_for_tokens=False))]
_CSV = {"schema": {"type": "string"}, "example": f"{','.join(COLUMNS)}\n"}


def _take_csv(body: object) -> object:
    """Leave a parsed JSON body unchanged; a body of bytes is CSV."""
    return Roster.of_file(body) if isinstance(body, bytes) else body


@router.post(PATH, operation_id="importRoster", openapi_extra={"requestBody": {"content": {"text/csv": _CSV}}})
@raises(InvalidInput, EmailTaken, RosterDeactivatesMany)
async def import_people(
    session: Session,
    settings: ProvidedSettings,
    caller: LoggedInAdministrator,
    body: Annotated[Roster, BeforeValidator(_take_csv)],
    dry_run: DryRun,
    deactivate_missing: Annotated[  # noqa: FBT002
        bool, Query(description="the roster is complete: deactivate the accounts of people who are not in it")
    ] = False,
    confirmed: Annotated[bool, Query(description="deactivate also more than 20% of the accounts")] = False,  # noqa: FBT002
) -> RosterResult:
    """Create and update the accounts of a list of people; all of them, or none if the list has an error.

    New accounts have no password. Their owners log in by an identity provider, or ask for a link to set a password.
    """
    del dry_run  # the session is rolled back
    return await import_roster(
        session,
        settings,
        await asyncio.to_thread(read_roster, body),
        actor_id=caller.user_id,
        deactivate_missing=deactivate_missing,
        confirmed=confirmed,
    )
