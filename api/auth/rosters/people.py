"""A roster: the people of an organisation, as its personnel system lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, PrivateAttr

from api.auth.schemas import Department, DisplayName, EmailText
from api.kernel.schemas import ResponseModel, Schema
from api.kernel.texts import Line

PEOPLE_MAX = 10_000


class RosterPerson(Schema):
    """One person. `active` false means that the person has left: an account is deactivated, and none is created."""

    name: DisplayName
    email: EmailText
    department: Department | None = None
    external_id: Annotated[Line, Field(min_length=1, max_length=200)] | None = None
    active: bool = True


@dataclass(frozen=True)
class Row:
    """A person, and the line of the file with them; in JSON, the number of the item."""

    line: int
    person: RosterPerson


class Roster(Schema):
    """The people, at most 10,000; each address and external id once.

    `content` is that of a file, instead of the people. Both are read by :func:`api.auth.rosters.reading.read_roster`.
    """

    people: Annotated[list[RosterPerson], Field(min_length=1, max_length=PEOPLE_MAX)]
    _content: bytes | None = PrivateAttr(None)

    @classmethod
    def of_file(cls, content: bytes) -> Roster:
        """A roster in a file that is not read yet."""
        values: dict[str, Any] = {"people": [], "_content": content}
        return cls.model_construct(**values)

    @property
    def content(self) -> bytes | None:
        """The file, or None if the people were in the request."""
        return self._content


class RosterResult(ResponseModel):
    """What the import did, or would do in a dry run.

    Attributes:
        created: the number of new accounts.
        updated: the number of accounts with another name, department or external id than before.
        deleted: the number of people whose account is deleted, and was not changed.
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
    deleted: int = 0
    deactivated: list[str] = Field(default_factory=list)
    kept: list[str] = Field(default_factory=list)
    still_deactivated: list[str] = Field(default_factory=list)
    other_addresses: list[str] = Field(default_factory=list)
