"""A roster: the people of an organisation, as its personnel system lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PrivateAttr

from api.auth.errors import BadEmail
from api.auth.schemas import Department, DisplayName, EmailText
from api.auth.service import check_email
from api.kernel.schemas import ResponseModel, Schema
from api.kernel.texts import Line

PEOPLE_MAX = 10_000


def _checked(email: str) -> str:
    try:
        return check_email(email)
    except BadEmail as error:
        raise ValueError(error.detail) from error


class RosterPerson(Schema):
    """One person. `active` false means that the person has left: an account is deactivated, and none is created."""

    name: DisplayName
    email: Annotated[EmailText, AfterValidator(_checked)]
    department: Department | None = None
    external_id: Annotated[Line, Field(min_length=1, max_length=200)] | None = None
    active: bool = True


@dataclass(frozen=True)
class Row:
    """A person, and the line of the file with them; in JSON, the number of the item."""

    line: int
    person: RosterPerson


class Roster(Schema):
    """The people, at most 10,000; each address and external id once."""

    people: Annotated[list[RosterPerson], Field(min_length=1, max_length=PEOPLE_MAX)]
    _rows: list[Row] | None = PrivateAttr(None)

    @classmethod
    def of(cls, rows: list[Row]) -> Roster:
        """A roster that was read from a file."""
        values: dict[str, Any] = {"people": [row.person for row in rows], "_rows": rows}
        return cls.model_construct(**values)

    @property
    def rows(self) -> list[Row]:
        """The people with their lines."""
        return self._rows or [Row(number, person) for number, person in enumerate(self.people, 1)]


class RosterResult(ResponseModel):
    """What the import did, or would do in a dry run.

    Attributes:
        created: the number of new accounts.
        updated: the number of accounts with another name, department or external id than before.
        unchanged: the number of other accounts of the roster.
        deactivated: the addresses of deactivated accounts.
        kept: the addresses of accounts that would be deactivated, but are the last administrator, the emergency account or
            the caller.
        still_deactivated: the addresses of active people whose account is deactivated; an administrator may reactivate it.
        other_addresses: the addresses in the roster of people whose account, found by the external id, has another one.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deactivated: list[str] = Field(default_factory=list)
    kept: list[str] = Field(default_factory=list)
    still_deactivated: list[str] = Field(default_factory=list)
    other_addresses: list[str] = Field(default_factory=list)
