"""Write the list of problem types from the code, or hold the committed one to it: `python -m cli.generate.problems FILE`."""

from __future__ import annotations

import inspect
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import api.main
from api.kernel.errors import TYPE_PREFIX, DomainError
from cli.generate.files import write_or_check

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = f"""\
# Problem types

Every error of the API is a problem document (RFC 9457, `application/problem+json`). A program switches on `type`, which is
`{TYPE_PREFIX}` and one of the names below, and never changes once released; `detail` is a sentence for people, and may.
Further members are the numbers that a client needs (`has_coins` and `wants_coins` of `insufficient-coins`, for one), and
`request_id` finds the cause in the logs. Where trying again helps, `Retry-After` says when.

Written from the code by `make docs`.

| type | status | title | what it states |
| --- | --- | --- | --- |
"""

# made by the handlers of what is no refusal of a domain's
_OTHERS = (
    ("validation", 422, "The request does not fit its schema", "`errors` names each field and what is wrong with it."),
    ("busy", 503, "Try again shortly", "The database is busy with another change of the same thing."),
    ("database-unavailable", 503, "Try again shortly", "The database is away."),
    ("internal", 500, "An error on our side", "Nothing was changed. The request id finds the cause in the logs."),
    ("method-not-allowed", 405, "Method Not Allowed", "The path is known, and not by this method."),
    ("request-entity-too-large", 413, "Request Entity Too Large", "The body has more bytes than the route takes."),
)


def describe() -> str:
    """The page: each type once, by name; a type that several domains state has a sentence of each."""
    assert api.main.ROUTERS, "importing the application defines every error"
    rows: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for error in _subclasses(DomainError):
        rows[error.slug, int(error.status), error.title].append(inspect.getdoc(error) or "")
    for slug, status, title, sentence in _OTHERS:
        rows[slug, status, title].append(sentence)
    lines = [
        f"| `{slug}` | {status} | {title} | {' '.join(dict.fromkeys(' '.join(each.split()) for each in sentences))} |"
        for (slug, status, title), sentences in sorted(rows.items())
    ]
    return _HEAD + "\n".join(lines) + "\n"


def _subclasses(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for each in sorted(kind.__subclasses__(), key=lambda each: (each.__module__, each.__name__)):
        yield each
        yield from _subclasses(each)


if __name__ == "__main__":
    sys.exit(write_or_check(describe, __doc__))
