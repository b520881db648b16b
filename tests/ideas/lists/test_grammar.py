"""The grammar of filters: what is read, how it is written, and what is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from api.ideas.lists.filters import term
from api.ideas.lists.grammar import InvalidFilter, parse
from api.ideas.lists.keys import KEYS
from api.ideas.lists.parameters import combine, terms_of
from api.ideas.lists.values import Range, Today

FULL = (
    'status:competing,accepted tag:"Green city" -tag:done coins:>100 created:2026-01-01..2026-02-01 owner:none '
    'sort:coins-desc seed:"a b" bicycle "two words"'
)


class TestParse:
    def test_reads_every_form_of_a_term(self) -> None:
        query = parse(FULL)
        assert query.filter.terms == (
            term("status", "competing", "accepted"),
            term("tag", "Green city"),
            term("tag", "done", is_negated=True),
            term("coins", Range(101)),
            term("created", Range(date(2026, 1, 1), date(2026, 2, 1))),
            term("owner", "none"),
            term("text", "bicycle"),
            term("text", "two words"),
        )
        assert (query.sort, query.seed) == ("coins", "a b")

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("coins:5", Range(5, 5)),
            ("coins:>=5", Range(5)),
            ("coins:<5", Range(None, 4)),
            ("coins:..5", Range(None, 5)),
            ("coins:5..9", Range(5, 9)),
            ("cost:>10", Range(Decimal("10.01"))),
            ("cost:<=10.5", Range(None, Decimal("10.5"))),
            ("due:<@today", Range(None, Today(-1))),
            ("due:@today-7d..@today+7d", Range(Today(-7), Today(7))),
            ("updated:>2026-02-28", Range(date(2026, 3, 1))),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_reads_ranges_with_both_limits(self, text: str, value: Range) -> None:
        (found,) = parse(text).filter.terms
        assert found.values == (value,)

    @pytest.mark.parametrize(
        "text",
        [
            "coins:>999999999999", "cost:<0.02", "created:<1900-01-02", "created:>2200-12-30", "created:>@today+36499d",
            FULL, "", "50% -x", '"10:30" "a \\"b\\" \\\\"', *(key.example for key in KEYS.values()),
        ],
    )  # fmt: skip
    def test_reads_what_it_writes(self, text: str) -> None:
        assert parse(str(parse(text))) == parse(text)

    @pytest.mark.parametrize(
        ("text", "key", "position", "nearest"),
        [
            ("racks statu:competing", "statu", 7, "status"),
            ("status:competng", "status", 8, "competing"),
            ("status:competing,x", "status", 18, None),
            ("-coins:many", "coins", 8, None),
            ("coins:9..3", "coins", 7, None),
            ("coins:..", "coins", 7, None),
            ("coins:1,2 coins:3", "coins", 11, None),
            ("status:pending status:accepted", "status", 16, None),
            ("status:pending,pending", "status", 16, None),
            ("sort:newest sort:oldest", "sort", 13, None),
            ("sort:coin", "sort", 6, "coins"),
            ("-sort:coins", "sort", 1, None),
            ("tag:", "tag", 5, None),
            ("tag:a,", "tag", 7, None),
            ('tag:"a', "tag", 5, None),
            ('a"b"', "text", 2, None),
            ("owner:bob", "owner", 7, None),
            ("created:2026-02-30", "created", 9, None),
            ("created:1066-10-14", "created", 9, None),
            ("ftp://example.org", "ftp", 1, None),
            ('text:"a\x00b"', "text", 6, None),
        ],
        ids=repr,
    )
    def test_states_where_it_is_wrong(self, text: str, key: str, position: int, nearest: str | None) -> None:
        with pytest.raises(InvalidFilter) as refused:
            parse(text)
        assert refused.value.extensions == {"key": key, "position": position, "nearest": nearest}
        assert f"(character {position} of the query)" in refused.value.detail

    @pytest.mark.parametrize(
        "text",
        [
            "coins:<0", "coins:>1000000000000", "cost:<0", "cost:>9999999999999999.99", "created:<1900-01-01",
            "created:>2200-12-31", "created:>@today+36500d", "decided:<@today-36500d", "-backers:<0",
        ],
    )  # fmt: skip
    def test_refuses_a_comparison_that_leaves_no_value(self, text: str) -> None:
        with pytest.raises(InvalidFilter, match="no value is"):
            parse(text)

    def test_has_limits(self) -> None:
        with pytest.raises(InvalidFilter, match="has 31 terms"):
            parse(" ".join(f"word{n}" for n in range(31)))
        with pytest.raises(InvalidFilter, match="has 51 values"):
            parse("tag:" + ",".join(f"t{n}" for n in range(51)))


class TestParameters:
    @pytest.mark.parametrize(
        ("given", "query"),
        [
            (
                {"status": ["competing", "accepted"], "not_status": ["pending"]},
                "status:competing,accepted -status:pending",
            ),
            ({"tag": ["a", "b"], "all_tag": ["c", "d"]}, "tag:a,b tag:c tag:d"),
            ({"coins_min": "5", "coins_max": "9"}, "coins:5..9"),
            ({"coins_min": "5", "coins_max": "5"}, "coins:5"),
            ({"created_from": "@today-7d"}, "created:@today-7d.."),
            ({"due_to": "2026-05-01"}, "due:..2026-05-01"),
            ({"text": ["two words"], "not_text": ["x"]}, '"two words" -x'),
            ({"all_is": ["mine", "followed"], "not_has": ["owner", "answer"]}, "is:mine is:followed -has:owner,answer"),
        ],
        ids=str,
    )
    def test_are_the_terms_of_a_query(self, given: dict[str, Any], query: str) -> None:
        assert combine(None, None, None, terms_of(given)) == parse(query)

    @pytest.mark.parametrize(
        "given", [{"coins_min": ">5"}, {"coins_min": "1..2"}, {"coins_min": "9", "coins_max": "3"}], ids=str
    )
    def test_of_a_range_are_single_values_in_order(self, given: dict[str, Any]) -> None:
        with pytest.raises(InvalidFilter):
            terms_of(given)

    def test_add_to_the_query(self) -> None:
        terms = terms_of({"coins_min": "5", "tag": ["b"]})
        assert (
            str(combine("tag:a racks sort:newest", None, "x", terms))
            == "tag:a racks tag:b coins:5.. sort:newest seed:x"
        )

    @pytest.mark.parametrize(("q", "sort"), [("coins:1", None), ("sort:newest", "oldest")], ids=str)
    def test_do_not_repeat_the_query(self, q: str, sort: Any) -> None:
        with pytest.raises(InvalidFilter, match="by the query q and by a parameter"):
            combine(q, sort, None, terms_of({"coins_min": "5"}))
