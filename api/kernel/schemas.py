"""Base classes of request and response bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Generic, TypeVar, Union
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, Strict

Item = TypeVar("Item")
Known = TypeVar("Known")

# The type of an enumerated value in a response. A later version that runs at the same time may store new values; they
# are returned as text, so that one such row does not fail a whole list.
Stored = Union[Known, str]  # noqa: UP007 - a generic alias


Id = Annotated[UUID, Strict(strict=False)]
"""An id in a request body."""


class Schema(BaseModel):
    """A request body: strict types, so that "5" is no number and 1 is not true, and no unknown fields.

    JSON has no type for ids, dates and amounts: the types `Id`, `api.kernel.dates` and `api.kernel.money` read their text.
    """

    model_config = ConfigDict(extra="forbid", from_attributes=True, str_strip_whitespace=True, strict=True)


class Edit(Schema):
    """The body of a PATCH: omitted fields are not changed, and null clears a field that may be empty.

    A field that must have a value is declared with :func:`required`, so null is refused.
    """

    @property
    def changes(self) -> dict[str, Any]:
        """The given fields by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def required() -> Any:
    """The default of a field of an :class:`Edit` that may be omitted but not null. OpenAPI shows no default."""
    return Field(default_factory=lambda: None)


class ResponseModel(BaseModel):
    """A response body, read from a row's attributes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[Item]):
    """A page of a list; `next_cursor` requests the next page and is null on the last one."""

    items: Sequence[Item]
    next_cursor: str | None
