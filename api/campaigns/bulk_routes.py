"""The route for coins of many members, as JSON or as CSV."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Response
from pydantic import BeforeValidator

from api.auth.dependencies import CurrentUser, Principal
from api.campaigns.bulk import BulkAllocate, BulkRefused, BulkResponse, Manager, Mode, allocate_in_bulk
from api.campaigns.bulk_csv import COLUMNS, read_items
from api.coins.dependencies import CountBulk
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput
from api.kernel.permissions import Permission
from api.kernel.rules import Rule, Scope, Visibility, enforces
from api.kernel.web import DryRun, RequiredKey, Session
from api.kernel.web import router as new_router

PATH = "/coins/bulk-allocate"
# 10,000 items as indented JSON, each with a reason of 200 one-byte characters
BODY_BYTES_MAX = 5 * 1_048_576

router = new_router("", "coins")


def _read_csv(body: object) -> object:
    """Leave a parsed JSON body unchanged; parse a body of bytes as CSV."""
    return {"items": read_items(body)} if isinstance(body, bytes) else body


# the permission is checked for each item in its campaign
@enforces(Rule(Scope.CAMPAIGN, (Permission.GRANT_COINS,), Visibility.ALIKE))
async def _granting(caller: CurrentUser) -> Principal:
    return caller


_CSV = {"schema": {"type": "string"}, "example": f"{','.join(COLUMNS)}\n"}


@router.post(
    PATH,
    operation_id="bulkAllocateCoins",
    response_model=BulkResponse,
    openapi_extra={"requestBody": {"content": {"text/csv": _CSV}}},
    dependencies=[CountBulk],
)
@raises(BulkRefused, InvalidInput)
async def bulk_allocate(
    session: Session,
    caller: Annotated[Principal, Depends(_granting)],
    _key: RequiredKey,
    body: Annotated[BulkAllocate, BeforeValidator(_read_csv)],
    dry_run: DryRun,
    mode: Annotated[
        Mode | None, Query(description="for CSV, which has no field for it; overrides the mode in the body")
    ] = None,
) -> Response:
    """Grant coins to members of the campaigns that I manage, or correct their wallets.

    At most 10,000 items, 100 of them for one member; they are carried out in order. The body has at most 5 MiB.
    """
    result = await allocate_in_bulk(
        session,
        body.items,
        mode=mode or body.mode,
        manager=Manager(caller.user_id, caller.may(Permission.GRANT_COINS)),
        is_dry_run=dry_run,
    )
    # the outcomes are validated models; the framework would validate ten thousand of them again
    return Response(result.model_dump_json(exclude_none=True), media_type="application/json")
