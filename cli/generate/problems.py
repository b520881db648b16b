"""Write the list of problem types, or check the committed one: `python -m cli.generate.problems [--check] FILE`."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING

from api.domains import DOMAINS
from api.kernel import http_limits, problems
from api.kernel.errors import TYPE_PREFIX, DomainError
from cli.generate.files import write_or_check

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = f"""\
# Problem types

Every error of the API is a problem document (RFC 9457, `application/problem+json`). Programs use `type`, which is
`{TYPE_PREFIX}` and one of the names below; a released type does not change. `detail` is a sentence for people and may change.
Further members contain the numbers that a client needs (for example `has_coins` and `wants_coins` of `insufficient-coins`).
`request_id` identifies the request in the logs. `Retry-After` is set if a retry can succeed.

Generated from the code by `make docs`.

| type | status | title | meaning |
| --- | --- | --- | --- |
"""


def describe() -> str:
    """The page in Markdown: each type once, sorted by name, with the docstrings of all errors of that type."""
    assert DOMAINS, "importing the application defines all errors"
    rows: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for error in _subclasses(DomainError):
        kind = error.problem_type()
        rows[kind.slug, int(kind.status), kind.title].append(kind.meaning)
    for kind in (*problems.TYPES, *http_limits.TYPES):
        rows[kind.slug, int(kind.status), kind.title].append(kind.meaning)
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
