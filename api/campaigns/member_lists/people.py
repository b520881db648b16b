"""A list of people who are to be members of a campaign, and the result of its import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, PrivateAttr

from api.kernel.schemas import ResponseModel, Schema

PEOPLE_MAX = 10_000
_TEXT_LENGTH_MAX = 1000  # each field is checked by the reader, which reports the line

_Text = Annotated[str, Field(max_length=_TEXT_LENGTH_MAX)]


class ListedPerson(Schema):
    """One person. An omitted field changes nothing of a present member; a new one has the role `member`."""

    name: _Text | None = None
    email: _Text
    role: _Text | None = Field(None, description="observer, member, moderator or manager")
    attributes: dict[_Text, _Text] = Field({}, description="added to those of a present member", max_length=100)


class MemberList(Schema):
    """The people, at most 10,000; each address once, in any case.

    `content` is that of a file, instead of the people. Both are read by :func:`api.campaigns.member_lists.reading.read_list`.
    """

    members: Annotated[list[ListedPerson], Field(min_length=1, max_length=PEOPLE_MAX)]
    _content: bytes | None = PrivateAttr(None)

    @classmethod
    def of_file(cls, content: bytes) -> MemberList:
        """A list in a file that is not read yet."""
        values: dict[str, Any] = {"members": [], "_content": content}
        return cls.model_construct(**values)

    @property
    def content(self) -> bytes | None:
        """The file, or None if the people were in the request."""
        return self._content


@dataclass(frozen=True)
class Entry:
    """A checked person, and the line of the file with them; in JSON, the number of the item."""

    line: int
    email: str
    name: str | None
    role: str | None
    attributes: dict[str, str]


class ImportProblem(ResponseModel):
    """What is wrong in a field of the list."""

    line: int
    column: str
    problem: str


class MemberImport(ResponseModel):
    """What the import did, or would do in a dry run.

    Attributes:
        added: people with an account who are members now.
        invited: people without a confirmed account, who have an invitation now.
        updated: members whose role or attributes changed.
        unchanged: members of whom nothing changed.
        failed: people who were left out, because of the errors.
    """

    added: int = 0
    invited: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    errors: list[ImportProblem] = Field([])
