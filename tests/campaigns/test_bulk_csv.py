"""Items of a bulk command as CSV."""

from __future__ import annotations

from uuid import UUID

import pytest

from api.campaigns.bulk import ITEMS_MAX
from api.campaigns.bulk_csv import ERRORS_MAX, read_items
from api.kernel.errors import InvalidInput

HEADER = "campaign_id,user_id,kind,coins,reason"
CAMPAIGN, USER = UUID(int=1), UUID(int=2)
ROW = f"{CAMPAIGN},{USER}"


class TestReadItems:
    def test_empty_fields_are_omitted(self) -> None:
        (item,) = read_items(f"\ufeff{HEADER}\r\n{ROW},,,\r\n\r\n".encode())
        assert (item.campaign_id, item.user_id, item.kind, item.coins, item.reason) == (
            CAMPAIGN,
            USER,
            "grant",
            None,
            None,
        )

    def test_amounts_may_be_negative(self) -> None:
        items = read_items(f'{HEADER}\n{ROW},correct,+5,"a, b"\n{ROW},correct,-7,zażółć'.encode())
        assert [(item.coins, item.reason) for item in items] == [(5, "a, b"), (-7, "zażółć")]

    @pytest.mark.parametrize(
        "document",
        [
            f"{HEADER}\n{ROW},correct,-5,why\n",
            f"{HEADER};\n{ROW};correct;-5;why;\n;;;;;\n".replace(",", ";"),
            f"{HEADER}\n{ROW},correct,-5,why\n".replace(",", "\t"),
            f"sep=;\r\n{HEADER}\r\n{ROW},correct,-5.0,why\r\n".replace(",", ";"),
            f"{HEADER}\n{ROW},correct,\u22125,why\n,,,,\n",
            f"{HEADER}\n{ROW};correct;-5,00;why\n".replace(HEADER, HEADER.replace(",", ";")).replace(
                ROW, f"{CAMPAIGN};{USER}"
            ),
            f"{HEADER.upper()},,\n{ROW},correct,-5,why,,\n",
            f"reason,coins,KIND,user_id,campaign_id\nwhy,-5,correct,{USER},{CAMPAIGN}\n",
        ],
        ids=["plain", "semicolons", "tabs", "declared", "minus sign", "decimals", "capitals", "order"],
    )
    def test_reads_what_spreadsheets_save(self, document: str) -> None:
        (item,) = read_items(document.encode("utf-8-sig"))
        assert (item.campaign_id, item.user_id, item.kind, item.coins, item.reason) == (
            CAMPAIGN, USER, "correct", -5, "why",
        )  # fmt: skip

    def test_a_member_may_be_named_by_address(self) -> None:
        (item,) = read_items(f"campaign_id,email,kind\n{CAMPAIGN},anna@example.org,grant\n".encode())
        assert (item.user_id, item.email) == (None, "anna@example.org")
        both = f"campaign_id,user_id,email\n{CAMPAIGN},{USER},anna@example.org\n"
        with pytest.raises(InvalidInput, match=r"line 2, column user_id: .*either user_id or email"):
            read_items(both.encode())

    def test_counts_the_line_that_declares_the_separator(self) -> None:
        with pytest.raises(InvalidInput, match="line 3, column coins: "):
            read_items(f"sep=,\n{HEADER}\n{ROW},correct,five,why\n".encode())

    @pytest.mark.parametrize(
        ("document", "problem"),
        [
            ("", "line 1: the header is ''"),
            ("campaign,user\n", "line 1: the header is 'campaign,user'"),
            (f"{HEADER},{HEADER}\n", "line 1: the header is 'campaign_id,"),
            ("campaign_id|user_id\n", "line 1: the header is 'campaign_id|user_id'"),
            (f"{HEADER}\n{ROW},correct,5,why,more\n", "line 2: 6 fields"),
            (f"{HEADER}\n", "line 2: there is no item"),
            (f"{HEADER}\n{ROW},correct,5,why\n{ROW},correct,five,why\n", "line 3, column coins: "),
            (f'{HEADER}\n{ROW},correct,5,"two\nlines"\nx,{USER},correct,5,why\n', "line 4, column campaign_id: "),
            (f"{HEADER}\n{CAMPAIGN},,correct,5,why\n", "line 2, column user_id: "),
            (f"{HEADER}\n{ROW},give,5,why\n", "line 2, column kind: "),
            (f"{HEADER}\n{ROW},correct,5\n", "line 2: 4 fields"),
            (f'{HEADER}\n{ROW},correct,5,"why\n', "line 2: "),
            (f"{HEADER}\n{ROW},correct,1.5,why\n", "line 2, column coins: "),
            (f"{HEADER}\n{ROW},correct,10000000000,why\n", "line 2, column coins: "),
            (f"{HEADER}\n{ROW},correct,{'9' * 5000},why\n", "line 2, column coins: "),
            (f"{HEADER}\n{ROW},correct,5,{'w' * 201}\n", "line 2, column reason: "),
            (f"{HEADER}\n{ROW},correct,5,\udcff\n", "line 2: not UTF-8"),
        ],
    )
    def test_errors_name_line_and_column(self, document: str, problem: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            read_items(document.encode(errors="surrogateescape"))
        assert caught.value.detail.startswith(problem)

    def test_of_many_errors_the_first_are_reported(self) -> None:
        with pytest.raises(InvalidInput, match="and 10 more") as caught:
            read_items(f"{HEADER}\n".encode() + f"{ROW},correct,x,why\n".encode() * 30)
        assert len(caught.value.extensions["errors"]) == ERRORS_MAX

    def test_accepts_at_most_the_items_of_a_request(self) -> None:
        row = f"{ROW},correct,1,why\n".encode()
        assert len(read_items(f"{HEADER}\n".encode() + row * ITEMS_MAX)) == ITEMS_MAX
        with pytest.raises(InvalidInput, match="line 10002: "):
            read_items(f"{HEADER}\n".encode() + row * (ITEMS_MAX + 1))
