"""Edits under a condition: the header `If-Match` with the tag that the client read refuses an edit of another version.

The tag of a resource that can be edited is `W/"<version>.<hash of the response>"`. The condition compares the version only,
not the whole representation as RFC 9110 does: coins on an idea change its representation, and must not refuse an edit of
its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, Header

from api.kernel.contract import raises
from api.kernel.errors import DomainError

if TYPE_CHECKING:
    from starlette.datastructures import Headers, MutableHeaders
    from starlette.responses import Response

HEADER: Final = "If-Match"
_VERSION = re.compile(r'W/"([0-9]+)"')
_TAG = re.compile(r'(?:W/)?"([1-9][0-9]{0,8})(?:\.[0-9a-f]+)?"')
_TAGS = re.compile(rf"{_TAG.pattern}(?:\s*,\s*{_TAG.pattern})*")


class VersionChanged(DomainError):
    """The resource has another version than the one in `If-Match`; `current_version` is the present one."""

    status = HTTPStatus.PRECONDITION_FAILED
    slug = "version-changed"
    title = "It was changed meanwhile"


class ConditionInvalid(DomainError):
    """The header `If-Match` is not a tag of a resource that can be edited, or the operation does not read it."""

    status = HTTPStatus.BAD_REQUEST
    slug = "condition-invalid"
    title = "The header If-Match cannot be used"


@dataclass(frozen=True)
class Condition:
    """The versions that an edit accepts; None accepts every version."""

    versions: frozenset[int] | None = None

    def check(self, version: int) -> None:
        """Check the version of the resource, which is locked.

        Raises:
            VersionChanged: it is not one of the accepted versions.
        """
        if self.versions is not None and version not in self.versions:
            msg = f"The resource has version {version} now. Read it again, and repeat the change with its new tag."
            raise VersionChanged(msg, current_version=version)


UNCONDITIONAL: Final = Condition()


@raises(ConditionInvalid, VersionChanged)
async def read_condition(
    if_match: Annotated[
        str | None,
        Header(
            alias=HEADER,
            max_length=1000,
            description="`ETag` of the version to change; another one is refused with 412",
        ),
    ] = None,
) -> Condition:
    """The condition of the request; a dependency.

    Raises:
        ConditionInvalid: the header is not a tag of a resource that can be edited.
    """
    if if_match is None or if_match.strip() == "*":
        return UNCONDITIONAL
    if _TAGS.fullmatch(if_match.strip()) is None:
        msg = f'The header {HEADER} must be the ETag of the resource, such as W/"3.0f1e2d", or *.'
        raise ConditionInvalid(msg)
    return Condition(frozenset(int(each[1]) for each in _TAG.finditer(if_match)))


IfMatch = Annotated[Condition, Depends(read_condition)]


def set_version(response: Response, version: int) -> None:
    """Tag a response with the version of its resource; :mod:`api.kernel.representations` adds the hash of a reading."""
    response.headers["ETag"] = f'W/"{version}"'


def find_version(headers: Headers | MutableHeaders) -> int | None:
    """The version that :func:`set_version` has set; None if it has not."""
    found = _VERSION.fullmatch(headers.get("etag", ""))
    return int(found[1]) if found else None


def check_not_given(operation: str, headers: Headers) -> None:
    """Refuse a condition for an operation that does not read it.

    Raises:
        ConditionInvalid: the header is given.
    """
    if HEADER in headers:
        msg = f"The operation {operation} does not read the header {HEADER}; send it without."
        raise ConditionInvalid(msg)
