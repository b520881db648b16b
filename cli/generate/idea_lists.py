"""Write the page of lists of ideas from the code, or check the committed one: `python -m cli.generate.idea_lists [--check] FILE`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from api.ideas.lists.grammar import QUERY_LENGTH_MAX, TERMS_MAX, VALUES_MAX
from api.ideas.lists.keys import KEYS
from api.ideas.lists.orders import ORDERS
from api.ideas.lists.parameters import parameters
from api.ideas.lists.views import OWN_VIEWS_MAX, SHARED_VIEWS_MAX
from cli.generate.files import write_or_check

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = f"""\
# Lists of ideas

How are lists of ideas filtered, ordered and saved? Generated from `api/ideas/lists/` by `make docs`.

`GET /campaigns/{{id}}/ideas` and `GET /campaigns/{{id}}/ideas/filter` read the same queries. The first has a few parameters for
common filters; the second has a parameter for each key, and responds with the `query` that it understood. Both list only ideas
that the reader may see: public ones, their own, and those that they have or had coins on; managers and moderators see all
submitted ideas. Filters never show more.

## Queries

```
status:competing tag:"Green city" -tag:done coins:>100 created:2026-01-01..2026-02-01 owner:none sort:coins racks
```

- A query is in the parameter `q`. Its terms are separated by blanks, and all of them must hold.
- A term is a key, a colon, and one or more values separated by commas, one of which must hold. A minus before it negates it.
- A term without a key is a part of the title or the description, in any case.
- A value with a blank, comma, colon or quotation mark is written in quotation marks; in these, `\\"` is a quotation mark and `\\\\` a
  backslash.
- `tag`, `category`, `is`, `has` and texts can be repeated: `tag:a tag:b` finds ideas with both tags, `tag:a,b` those with one of them.
- Days are those of the time zone of the campaign. `@today`, `@today-7d` and `@today+14d` are relative to the present day.
- `sort:` and `seed:` are the order, as the parameters of these names.
- A query has at most {QUERY_LENGTH_MAX} characters and {TERMS_MAX} terms, and a term {VALUES_MAX} values.

An unknown key, a value that is none of the key, and a key that is given twice are refused with `invalid-filter`: the response
has the key, the position in the query, and the nearest known name. Requests with `q` count as searches
([requests.md](requests.md#limits)).
"""
_VIEWS = f"""\
## Saved views

`POST /campaigns/{{id}}/idea-views` saves a query under a name; `GET .../ideas/filter?view=<id>` uses it. What is given beside the view
is added to it, and replaces the same key unless the key can be repeated. `me`, `is:mine` and `@today` are those of the
moment and of the reader.

A view belongs to the member who saved it. A manager can share one with the campaign (`is_shared`); everyone who sees the campaign sees
it then, and only managers change it. A member has at most {OWN_VIEWS_MAX} views in a campaign, and a campaign {SHARED_VIEWS_MAX} shared ones.

A view whose query can no longer be read, because a later version has other keys, is not an error: lists of views state the `problem`,
and so does `filter`, whose list is empty then. Lists of views also state tags that the campaign no longer has.

## Pages and totals

Pages continue after the last idea of the page before (`next_cursor`), also if ideas were added meanwhile. A cursor belongs to its
order. Coins and backers are those of `totals_as_of`. `total` counts the ideas of all pages; in lists of 10,000 ideas and more it
can be some seconds old.
"""


def describe() -> str:
    """The page: the grammar, a table of the keys, one of their parameters, one of the orders, and saved views."""
    return "\n".join([_HEAD, *_keys(), "", *_parameters(), "", *_orders(), "", _VIEWS])


def _keys() -> Iterator[str]:
    yield from ("## Keys", "", "| key | values | meaning | example |", "| --- | --- | --- | --- |")
    for key in KEYS.values():
        name = "(none)" if key.is_text else f"`{key.name}`"
        yield f"| {name} | {_cell(key.kind.form)} | {_cell(key.meaning)} | `{key.example}` |"


def _parameters() -> Iterator[str]:
    yield from ("## Parameters of `/filter`", "", "| key | parameters |", "| --- | --- |")
    for key in KEYS.values():
        yield f"| `{key.name}` | {', '.join(f'`{name}`' for name, _, _ in parameters(key))} |"
    yield from (
        "",
        "A parameter that is given several times has several values: one of them must hold, of `all_...` all, of `not_...` none.",
    )


def _orders() -> Iterator[str]:
    yield from ("## Orders", "", "| `sort` | order |", "| --- | --- |")
    for name, order in ORDERS.items():
        yield f"| `{name}` | {order.meaning} |"
    yield from (
        "",
        (
            "The default is `random` while coins can be moved, and `coins` afterwards. The seed of the random order is by default one of the "
            "reader; with the same seed the order is the same. Ideas with the same value are ordered by their ids, which is the order of "
            "their creation."
        ),
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(write_or_check(describe, __doc__))
