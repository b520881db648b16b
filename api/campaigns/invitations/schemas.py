"""Request and response models of invitations to campaigns."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from api.auth import service as auth
from api.auth.errors import BadEmail
from api.campaigns.invitations.models import InvitationStatus
from api.campaigns.schemas import Attributes, Role
from api.kernel.schemas import ResponseModel, Schema, Stored
from api.kernel.texts import Line

INVITEES_MAX = 100


def _checked(email: str) -> str:
    try:
        return auth.check_email(email)
    except BadEmail as error:
        raise ValueError(error.detail) from error


def _each_once(invitees: list[InviteeWrite]) -> list[InviteeWrite]:
    seen: dict[str, int] = {}
    for number, invitee in enumerate(invitees):
        first = seen.setdefault(invitee.email.lower(), number)
        if first != number:
            msg = f"the items {first} and {number} have the same address"
            raise ValueError(msg)
    return invitees


class InviteeWrite(Schema):
    """Whom to invite: the role and attributes are those of the later member."""

    email: Annotated[Line, Field(max_length=254), AfterValidator(_checked)]
    name: Annotated[Line, Field(min_length=1, max_length=200)] | None = Field(
        None, description="proposed to a person who creates an account"
    )
    role: Role = "member"
    attributes: Attributes = Field({})


class Invite(Schema):
    """The addresses to invite, each once. Longer lists are imported."""

    invitations: Annotated[list[InviteeWrite], Field(min_length=1, max_length=INVITEES_MAX), AfterValidator(_each_once)]


class InvitationRead(ResponseModel):
    """An invitation as managers see it."""

    id: UUID
    email: str
    name: str | None
    role: Stored[Role]
    attributes: dict[str, str]
    status: Stored[InvitationStatus]
    invited_at: datetime
    expires_at: datetime
    sent_at: datetime | None = Field(description="when its last mail was sent; null while it waits")
    accepted_at: datetime | None
    revoked_at: datetime | None
