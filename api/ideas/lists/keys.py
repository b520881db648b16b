"""The keys of filters of ideas: their values, their meaning, and their condition in SQL.

This is the one place that defines them. The grammar, the query parameters, `docs/idea-lists.md` and the tests are derived from it.
The alias of `app.ideas` is `i`, and that of `app.idea_figures` is `f`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from api.ideas.authors import SHOWN_AUTHOR
from api.ideas.lists.values import (
    ME,
    NONE,
    TEXT_LENGTH_MAX,
    Amounts,
    Days,
    Integers,
    Kind,
    Name,
    OneOf,
    Person,
    Range,
    choices,
    listed,
    resolve_day,
)
from api.ideas.steps import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

IN_DELIVERY = (Status.ACCEPTED, Status.IN_PROGRESS)
_DECISIONS = (Status.ACCEPTED, Status.REJECTED, Status.NOT_SELECTED)
_AFTER_DECISION = tuple(
    status for status in Status if status not in {Status.DRAFT, Status.PENDING, Status.COMPETING, Status.WITHDRAWN}
)


@dataclass
class Context:
    """What conditions refer to, and the values of the statement that they are part of.

    `names_below` has the names of a tag and of the tags below it, in lower case, by the name of the tag in lower case.
    """

    user_id: UUID
    today: date
    time_zone: str
    names_below: Mapping[str, list[str]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: object, sql_type: str) -> str:
        """Add a value to the statement; returns its expression."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"CAST(%({name})s AS {sql_type})"

    @property
    def me(self) -> str:
        """The expression of the id of the reader."""
        self.values["user_id"] = self.user_id
        return "%(user_id)s"

    def start_of(self, day: date) -> datetime:
        """The first moment of a day in the time zone of the campaign."""
        return datetime.combine(day, time.min, ZoneInfo(self.time_zone))


Condition = "Callable[[Context, tuple[Any, ...]], str]"


@dataclass(frozen=True)
class Key:
    """A key of filters. `condition` makes the SQL of the values, one of which must hold."""

    name: str
    kind: Kind
    meaning: str
    example: str
    condition: Callable[[Context, tuple[Any, ...]], str]
    can_repeat: bool = False
    """Several terms of the key can stand in one query; all of them must hold."""
    has_figures: bool = False
    """The condition reads `app.idea_figures`."""
    names_with_figures: frozenset[str] = frozenset()
    """The values whose condition reads them, if it is not that of all."""
    is_text: bool = False
    """The key has no name in the grammar: words are its terms."""

    @property
    def is_range(self) -> bool:
        """Whether a value is a range."""
        return isinstance(self.kind, Integers | Amounts | Days)

    def reads_figures(self, values: tuple[Any, ...]) -> bool:
        """Whether the condition of these values reads `app.idea_figures`."""
        return self.has_figures or not self.names_with_figures.isdisjoint(values)

    def is_personal(self, values: tuple[Any, ...]) -> bool:
        """Whether the condition of these values depends on the reader."""
        if self.name == "author":  # readers know the authors of their own anonymous ideas
            return True
        return any(value == ME or value in _OF_READER for value in values if isinstance(value, str)) and not isinstance(
            self.kind, Name
        )

    def in_sql(self, context: Context, values: tuple[Any, ...], *, is_negated: bool) -> str:
        """The condition; it is never null."""
        found = self.condition(context, values)
        return f"NOT ({found})" if is_negated else f"({found})"


def _status(_: Context, values: tuple[Any, ...]) -> str:
    return f"i.status IN ({listed(values)})"  # names of the closed set: the planner knows how frequent they are


def _tagged(kind: str, context: Context, values: tuple[Any, ...]) -> str:
    names = sorted({name for value in values for name in context.names_below.get(value.lower(), [value.lower()])})
    return (
        "EXISTS (SELECT FROM app.idea_tags AS g "
        f"WHERE g.idea_id = i.id AND lower(g.name) = ANY ({context.bind(names, 'text[]')}) AND {kind})"
    )


def _author(context: Context, values: tuple[Any, ...]) -> str:
    """By the author whom the reader may know; the second condition is read from an index."""
    conditions = []
    for value in values:
        if value == NONE:
            conditions.append(f"({SHOWN_AUTHOR}) IS NULL")
        else:
            person = _person(context, value)
            conditions.append(f"coalesce(({SHOWN_AUTHOR}) = {person} AND i.author_id = {person}, false)")
    return " OR ".join(conditions)


def _owner(context: Context, values: tuple[Any, ...]) -> str:
    owned = "EXISTS (SELECT FROM app.idea_owners AS o WHERE o.idea_id = i.id{})"
    return " OR ".join(
        f"NOT {owned.format('')}" if value == NONE else owned.format(f" AND o.user_id = {_person(context, value)}")
        for value in values
    )


def _person(context: Context, value: UUID | str) -> str:
    return context.bind(context.user_id if value == ME else value, "uuid")


def _numbers(column: str, sql_type: str, context: Context, values: tuple[Any, ...]) -> str:
    return _any_range(values, partial(_between, column, sql_type, context))


def _between(column: str, sql_type: str, context: Context, wanted: Range) -> Iterator[str]:
    if wanted.low is not None:
        yield f"{column} >= {context.bind(wanted.low, sql_type)}"
    if wanted.high is not None:
        yield f"{column} <= {context.bind(wanted.high, sql_type)}"


def _any_range(values: tuple[Any, ...], parts: Callable[[Range], Iterator[str]]) -> str:
    return " OR ".join(f"({' AND '.join(parts(value))})" for value in values)


def _cost(context: Context, values: tuple[Any, ...]) -> str:
    amount = _numbers("v.amount", "numeric", context, values)
    return (
        "EXISTS (SELECT FROM app.idea_valuations AS v "
        f"WHERE v.idea_id = i.id AND v.kind = 'expected_cost' AND ({amount}) AND NOT EXISTS ("
        "SELECT FROM app.idea_valuations AS n WHERE n.idea_id = v.idea_id AND n.kind = v.kind "
        "AND (n.valued_on, n.recorded_at) > (v.valued_on, v.recorded_at)))"
    )


def _moments(column: str, context: Context, values: tuple[Any, ...]) -> str:
    return _any_range(values, partial(_in_days, column, context))


def _in_days(column: str, context: Context, wanted: Range) -> Iterator[str]:
    """Conditions on a moment: the days are those of the time zone of the campaign."""
    if wanted.low is not None:
        low = context.start_of(resolve_day(wanted.low, context.today))
        yield f"{column} >= {context.bind(low, 'timestamptz')}"
    if wanted.high is not None:
        high = context.start_of(resolve_day(wanted.high, context.today) + timedelta(days=1))
        yield f"{column} < {context.bind(high, 'timestamptz')}"


def _decided(context: Context, values: tuple[Any, ...]) -> str:
    return (
        f"i.status IN ({listed(_AFTER_DECISION)}) AND EXISTS (SELECT FROM app.idea_status_changes AS c "
        f"WHERE c.idea_id = i.id AND c.to_status IN ({listed(_DECISIONS)}) "
        f"AND ({_moments('c.changed_at', context, values)}))"
    )


def _due(context: Context, values: tuple[Any, ...]) -> str:
    dates = tuple(
        Range(*(None if limit is None else resolve_day(limit, context.today) for limit in (value.low, value.high)))
        for value in values
    )
    return f"f.next_due_on < 'infinity' AND ({_numbers('f.next_due_on', 'date', context, dates)})"


def _text(context: Context, values: tuple[Any, ...]) -> str:
    return " OR ".join(
        f"position(lower({context.bind(value, 'text')}) IN lower(i.title || E'\\n' || i.description)) > 0"
        for value in values
    )


def _overdue(context: Context) -> str:
    return f"i.status IN ({listed(IN_DELIVERY)}) AND f.next_due_on < {context.bind(context.today, 'date')}"


# of the key `is`
_IS: Mapping[str, Callable[[Context], str]] = MappingProxyType(
    {
        "mine": lambda context: f"i.author_id = {context.me} AND i.author_id IS NOT NULL",
        "followed": lambda context: (
            f"EXISTS (SELECT FROM app.idea_followers AS w WHERE w.user_id = {context.me} AND w.idea_id = i.id)"
        ),
        "backed": lambda context: (
            "EXISTS (SELECT FROM app.coin_accounts AS a WHERE a.campaign_id = %(campaign_id)s "
            f"AND a.user_id = {context.me} AND a.kind = 'stake' AND a.idea_id = i.id)"
        ),
        "overdue": _overdue,
        "waiting": lambda _: "i.status = 'pending' AND i.changes_requested_at IS NOT NULL",
    }
)
_OF_READER = frozenset({"mine", "followed", "backed"})
# of the key `has`
_HAS: Mapping[str, Callable[[Context], str]] = MappingProxyType(
    {
        "answer": lambda _: (
            "EXISTS (SELECT FROM app.comments AS c WHERE c.idea_id = i.id AND c.official_at IS NOT NULL)"
        ),
        "attachments": lambda _: "EXISTS (SELECT FROM app.attachments AS a WHERE a.idea_id = i.id)",
        "comments": lambda _: "f.comments > 0",
        "cost": lambda _: (
            "EXISTS (SELECT FROM app.idea_valuations AS v WHERE v.idea_id = i.id AND v.kind = 'expected_cost')"
        ),
        "location": lambda _: "i.latitude IS NOT NULL",
        "milestones": lambda _: "EXISTS (SELECT FROM app.idea_milestones AS m WHERE m.idea_id = i.id)",
        "owner": lambda _: "EXISTS (SELECT FROM app.idea_owners AS o WHERE o.idea_id = i.id)",
        "tags": lambda _: "EXISTS (SELECT FROM app.idea_tags AS g WHERE g.idea_id = i.id)",
    }
)


def _named(conditions: Mapping[str, Callable[[Context], str]], context: Context, values: tuple[Any, ...]) -> str:
    return " OR ".join(f"({conditions[value](context)})" for value in values)


_DEFINED = (
    Key(
        "status", OneOf(tuple(Status)), "the status of the idea; drafts are only the reader's own", "status:competing,accepted",
        _status,
    ),
    Key(
        "tag", Name(), "a tag of the idea, or one that the campaign has defined below it", 'tag:"Green city"',
        partial(_tagged, "g.kind <> 'category'"), can_repeat=True,
    ),
    Key(
        "category", Name(), "the category of the idea, or a tag below it that is the category", "category:parks",
        partial(_tagged, "g.kind = 'category'"), can_repeat=True,
    ),
    Key(
        "is", choices(_IS),
        "`mine`: the reader submitted it; `followed`: the reader follows it; `backed`: the reader has or had coins on it; "
        "`overdue`: in delivery with an open milestone before today; `waiting`: pending until the author changes it",
        "is:followed", partial(_named, _IS), can_repeat=True, names_with_figures=frozenset({"overdue"}),
    ),
    Key(
        "has", choices(_HAS),
        "the idea has an official answer, attachments, visible comments, a cost estimate, a location, milestones, an owner, "
        "or tags or a category", "has:answer", partial(_named, _HAS), can_repeat=True, names_with_figures=frozenset({"comments"}),
    ),
    Key("author", Person(), "who submitted the idea; none: an imported one", "author:me", _author),
    Key("owner", Person(), "who is responsible for the idea", "owner:none", _owner),
    Key(
        "coins", Integers(), "the coins that the list shows for the idea", "coins:>100", partial(_numbers, "f.coins", "bigint"),
        has_figures=True,
    ),
    Key(
        "backers", Integers(), "how many members have coins on the idea", "backers:10..50",
        partial(_numbers, "f.backers", "bigint"), has_figures=True,
    ),
    Key(
        "comments", Integers(), "how many comments the idea has, without hidden and deleted ones", "comments:>=5",
        partial(_numbers, "f.comments", "bigint"), has_figures=True,
    ),
    Key("cost", Amounts(), "the expected cost that is valued last, in the currency of the campaign", "cost:<=2500.50", _cost),
    Key("created", Days(), "the day of the submission", "created:2026-01-01..2026-02-01", partial(_moments, "i.submitted_at")),
    Key("updated", Days(), "the day of the last change of the idea", "updated:>=@today-7d", partial(_moments, "i.updated_at")),
    Key("decided", Days(), "a day on which the idea was accepted, rejected or not selected", "decided:@today-30d..", _decided),
    Key("due", Days(), "the day of the first open milestone", "due:..@today+14d", _due, has_figures=True),
    Key(
        "text", Name(TEXT_LENGTH_MAX, "a part of the title or the description, in any case"),
        "a part of the title or the description; in a query, words without a key", '"bicycle racks"', _text,
        can_repeat=True, is_text=True,
    ),
)  # fmt: skip

KEYS: Mapping[str, Key] = MappingProxyType({key.name: key for key in _DEFINED})
"""Every key by its name, in the order of the documentation."""
