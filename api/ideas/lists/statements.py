"""The statement of one page of a list of ideas.

It finds the ids of the page by the index of the order, and makes the rows of these ids only. The condition of what a reader
may see is here (:func:`visible`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.ideas.lists.orders import ORDERS, SHUFFLED, SHUFFLED_BITS, Sort, mask_of
from api.ideas.lists.values import listed
from api.ideas.rows import row_values, select_row
from api.ideas.steps import PUBLIC, Status

if TYPE_CHECKING:
    from uuid import UUID

    from api.ideas.lists.filters import Filter
    from api.ideas.lists.keys import Context
    from api.ideas.rows import Reader

_PUBLIC = listed(sorted(PUBLIC))
_HIDDEN = listed(sorted(set(Status) - PUBLIC - {Status.DRAFT}))
# the reader's ideas, and those that they have or had coins on, which other readers do not see: made once, if needed
_OWN_HIDDEN = f"""own (ids) AS MATERIALIZED (
        SELECT ARRAY(
            SELECT m.id FROM app.ideas AS m
            WHERE m.author_id = %(user_id)s AND m.campaign_id = %(campaign_id)s AND m.status IN ({_HIDDEN})
            UNION
            SELECT m.id FROM app.coin_accounts AS a
            CROSS JOIN LATERAL (
                SELECT s.id FROM app.ideas AS s WHERE s.id = a.idea_id AND s.status IN ({_HIDDEN}) OFFSET 0
            ) AS m
            WHERE a.campaign_id = %(campaign_id)s AND a.user_id = %(user_id)s AND a.kind = 'stake'
        )
    ),"""
_OWN_DRAFTS = (
    "ARRAY(SELECT m.id FROM app.ideas AS m WHERE m.author_id = %(user_id)s AND m.campaign_id = %(campaign_id)s "
    "AND m.status = 'draft')"
)
_JOIN = "JOIN app.idea_figures AS f ON f.idea_id = i.id"
_PAGE = """
    WITH {own} page AS MATERIALIZED (
        SELECT k.id, k.sort_key, row_number() OVER () AS n FROM (
            {keys}
        ) AS k
    ), shown AS (
        SELECT p.n, row_to_json(r)::text AS item
        FROM page AS p
        CROSS JOIN LATERAL ({row} WHERE i.id = p.id) AS r
        WHERE p.n <= %(limit)s
    )
    SELECT (SELECT string_agg(s.item, ',' ORDER BY s.n) FROM shown AS s) AS items,
        (SELECT count(*) FROM page) AS found,
        (SELECT p.sort_key::text FROM page AS p WHERE p.n = %(limit)s) AS last_key,
        (SELECT p.id FROM page AS p WHERE p.n = %(limit)s) AS last_id
"""
_KEYS = """
            SELECT i.id, {key} AS sort_key
            FROM app.ideas AS i {join}
            WHERE {campaign} = %(campaign_id)s AND {conditions} {after}
            ORDER BY {key} {direction}, {id} {direction}
            LIMIT %(limit)s + 1
"""
# Blocks of the numbers in the order of the seed, and in each block its ideas: the ideas of a block differ from those of
# the others by the first bits of their numbers, and so do their places. The first blocks that fill a page are read.
_SHUFFLED_KEYS = """
            SELECT o.id, o.sort_key
            FROM generate_series(CAST(%(first_block)s AS bigint), CAST(%(last_block)s AS bigint)) AS b (n)
            CROSS JOIN LATERAL (
                SELECT i.id, {key} AS sort_key
                FROM app.ideas AS i {join}
                WHERE i.campaign_id = %(campaign_id)s
                    AND {shuffled} >= (b.n # CAST(%(mask_block)s AS bigint)) << CAST(%(block_bits)s AS integer)
                    AND {shuffled} <= ((b.n # CAST(%(mask_block)s AS bigint)) << CAST(%(block_bits)s AS integer))
                        + ((1::bigint << CAST(%(block_bits)s AS integer)) - 1)
                    AND {conditions} {after}
                ORDER BY 2, 1
            ) AS o
            LIMIT %(limit)s + 1
"""
_TOTAL = "(SELECT count(*) FROM app.ideas AS i {join} WHERE i.campaign_id = %(campaign_id)s AND {conditions})"
# about as many ideas are in a block as on a page
_IDEAS_PER_BLOCK = 64
# sorting a shorter list costs less than reading blocks of it, most of whose ideas may not fit the filter
_IN_BLOCKS_MIN = 5_000
_BLOCK_BITS_MAX = 20


def visible(wanted: Filter, *, sees_all: bool) -> tuple[str, str | None]:
    """The ideas that every reader of the kind sees, and the further ones of this reader, or None if there are none.

    Without `sees_all` these are public ideas, and further the reader's own and those that they have or had coins on. Drafts are
    visible to their author only, and only in lists of the status `draft` and of own ideas.
    """
    statuses = wanted.values_of("status")
    asks_for_drafts = "mine" in wanted.values_of("is") or Status.DRAFT in statuses
    drafts = f"i.id = ANY ({_OWN_DRAFTS})" if asks_for_drafts else None
    if sees_all:
        return "i.status <> 'draft'", drafts
    shared = f"i.status IN ({_PUBLIC})"
    if statuses and not set(statuses) - PUBLIC:
        return shared, None
    hidden = "i.id = ANY ((SELECT o.ids FROM own AS o)::uuid[])"
    return shared, f"({hidden} OR {drafts})" if drafts else hidden


WAS_PUBLIC = f"""(
    i.status = '{Status.MERGED}' AND EXISTS (SELECT FROM app.coin_targets AS t WHERE t.idea_id = i.id)
)"""
"""The condition of a merged idea whose address stays readable: it was competing, and so it was open for coins."""
READABLE = f"""(
    i.author_id = %(user_id)s OR (i.status <> '{Status.DRAFT}' AND (
        CAST(%(sees_all)s AS boolean) OR i.status IN ({_PUBLIC}) OR {WAS_PUBLIC}
        OR EXISTS (
            SELECT FROM app.coin_accounts AS a WHERE a.idea_id = i.id AND a.user_id = %(user_id)s AND a.kind = 'stake'
        )
    ))
)"""
"""The condition of a single idea that a reader may see: as :func:`visible`, and drafts of their own."""


def conditions_of(wanted: Filter, context: Context) -> str:
    """The conditions of the terms of a filter."""
    found = [term.key.in_sql(context, term.values, is_negated=term.is_negated) for term in wanted.terms]
    return " AND ".join(found) or "true"


def page_statement(
    wanted: Filter,
    context: Context,
    reader: Reader,
    *,
    sort: Sort,
    seed: str,
    after: tuple[object, UUID] | None,
    limit: int,
    counts: tuple[bool, bool],
    known_total: int,
) -> tuple[str, dict[str, Any]]:
    """The statement of a page, and its values.

    `counts` are whether it also counts the ideas of the two kinds of :func:`visible`, as `total` and `own_total`.
    `known_total` is about how many ideas the list has; the blocks of a random order depend on it, but not their order.
    """
    order = ORDERS[sort]
    shared, own = visible(wanted, sees_all=reader.sees_all)
    terms = conditions_of(wanted, context)
    all_visible = f"({shared} OR {own})" if own else shared
    values: dict[str, Any] = {"limit": limit}
    has_figures = any(term.key.reads_figures(term.values) for term in wanted.terms)
    if sort == "random":
        mask = mask_of(seed)
        key = f"({SHUFFLED} # CAST(%(mask)s AS bigint))"
        values["mask"] = mask
        bits = _block_count_bits(known_total)
        if bits:
            values |= _blocks(mask, bits, after)
        condition = f"AND ({key}, i.id) > (CAST(%(after_key)s AS bigint), CAST(%(after_id)s AS uuid))"
        template = _SHUFFLED_KEYS if bits else _KEYS
    else:
        key = order.key
        sign = "<" if order.is_descending else ">"
        condition = f"AND ({key}, {order.id_column}) {sign} (CAST(%(after_key)s AS {order.sql_type}), CAST(%(after_id)s AS uuid))"
        template = _KEYS
    if after:
        values |= {"after_key": after[0], "after_id": after[1]}
    keys = template.format(
        key=key,
        join=_JOIN if has_figures or order.has_figures else "",
        campaign=order.campaign_column,
        id=order.id_column,
        direction=order.direction,
        conditions=f"{all_visible} AND {terms}",
        after=condition if after else "",
        shuffled=SHUFFLED,
    )
    own_ids = _OWN_HIDDEN if "own AS o" in (own or "") else ""
    statement = _PAGE.format(own=own_ids, keys=keys, row=select_row())
    join = _JOIN if has_figures else ""
    if counts[0]:
        statement += f", {_TOTAL.format(join=join, conditions=f'{shared} AND {terms}')} AS total"
    if counts[1] and own:
        statement += f", {_TOTAL.format(join=join, conditions=f'{own} AND {terms}')} AS own_total"
    return statement, values | context.values | row_values(reader)


def _block_count_bits(known_total: int) -> int:
    if known_total < _IN_BLOCKS_MIN:
        return 0
    return min(max(known_total // _IDEAS_PER_BLOCK, 1).bit_length() - 1, _BLOCK_BITS_MAX)


def _blocks(mask: int, bits: int, after: tuple[object, UUID] | None) -> dict[str, int]:
    shift = SHUFFLED_BITS - bits
    first = 0
    if after is not None:
        assert isinstance(after[0], int)
        first = min(max(after[0], 0), 2**SHUFFLED_BITS - 1) >> shift
    return {"first_block": first, "last_block": 2**bits - 1, "mask_block": mask >> shift, "block_bits": shift}
