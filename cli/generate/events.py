"""Write the catalogue of events from the code, or check the committed one: `python -m cli.generate.events [--check] FILE`."""

from __future__ import annotations

import inspect
import sys
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from api.events.catalogue import CATALOGUE, Entry
from api.events.payloads import Payload
from cli.generate.files import write_or_check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from api.events.kinds import EventKind

_HEAD = """\
# Events

Every command records what it changed as rows of `app.events`, in its own transaction. Rows are never changed or deleted.
This page lists each kind of event: when it is recorded, who may see it, and the fields of its `data`.

Each row also has `id`, `xid` (the transaction), `recorded_at`, `occurred_at` (earlier than `recorded_at` in an import),
`version` (of the payload), and where they apply `campaign_id`, `idea_id`, `actor_id` (the person who caused it; null is the
system), `user_id` (the person it happened to), `request_id`, and the `address`, `agent` and `token_id` of the request. `before` and `after` hold the same names, as they were and
as they are. Fields marked with ? can be missing or null.

"Public" events may be shown to everyone who sees their campaign. "Personal" events show what one person did; others see
that person only where a rule allows it. "Audited" events appear in the campaign's coin audit. "Moves coins" marks commands
that can change balances.

Generated from the code by `make docs`.
"""


def describe() -> str:
    """The page: a table of all kinds, and a section for the payload of each."""
    lines = [_HEAD, "| kind | version | recorded when | visible to | flags |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| [`{kind}`](#{kind}) | {entry.payload.version} | {entry.when} | {entry.visible_to} | {_flags(entry)} |"
        for kind, entry in CATALOGUE.items()
    ]
    for kind, entry in CATALOGUE.items():
        lines += _section(kind, entry)
    return "\n".join(lines) + "\n"


def _flags(entry: Entry) -> str:
    flags = {
        "public": entry.is_public,
        "personal": entry.is_personal,
        "audited": entry.concerns_coins,
        "moves coins": entry.moves_coins,
    }
    return ", ".join(name for name, is_set in flags.items() if is_set)


def _section(kind: EventKind, entry: Entry) -> Iterator[str]:
    yield f"\n## {kind}\n"
    yield inspect.getdoc(entry.payload) or ""
    fields = list(_fields(entry.payload))
    if fields:
        yield "\n| field | type |\n| --- | --- |"
        yield from fields


def _fields(payload: type[Payload]) -> Iterator[str]:
    for name, field in payload.model_fields.items():
        yield f"| `{name}`{'?' * _is_optional(field)} | {_type(field.annotation)} |"


def _is_optional(field: FieldInfo) -> bool:
    return not field.is_required() or NoneType in get_args(field.annotation)


def _type(annotation: Any) -> str:
    if get_origin(annotation) in {Union, UnionType}:
        return " or ".join(_type(each) for each in get_args(annotation) if each is not NoneType)
    if get_origin(annotation) is Literal:
        return " or ".join(f'"{value}"' for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_type(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "object"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        members = (
            f"`{name}`{'?' * _is_optional(field)} {_type(field.annotation)}"
            for name, field in annotation.model_fields.items()
        )
        return f"object: {', '.join(members)}"
    return _NAMES[annotation.__name__]


_NAMES = {
    "bool": "boolean",
    "datetime": "time (RFC 3339)",
    "Decimal": "decimal, as a string",
    "int": "integer",
    "str": "string",
    "UUID": "id (UUID)",
}


if __name__ == "__main__":
    sys.exit(write_or_check(describe, __doc__))
