from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from pipelines.marts import Figure
from pipelines.reports.content import Content
from pipelines.reports.sentences import conservation_statement, ledger_head, sentences

Read = Callable[[str], Content]


def said(content: Content) -> dict[str, str]:
    return {sentence.about: sentence.text.replace("\N{NO-BREAK SPACE}", " ") for sentence in sentences(content)}


def with_figure(content: Content, name: str, **now: Any) -> Content:
    def changed(figure: Figure) -> Figure:
        return replace(figure, now=replace(figure.now, **now)) if figure.name == name else figure

    return replace(content, to_date=tuple(changed(figure) for figure in content.to_date))


def with_ideas(content: Content, number: int, **columns: Any) -> Content:
    ideas = content.ideas.head(number).with_columns(**{name: pl.lit(value) for name, value in columns.items()})
    return replace(content, ideas=ideas)


class TestPeople:
    def test_members_who_took_part_with_the_month_before(self, read: Read) -> None:
        assert said(read("tools-we-miss"))["People"] == (
            "32 of 40 members (80%) put coins on an idea or submitted one; "
            "13 did in the last 30 days, after 10 in the 30 days before."
        )

    def test_a_campaign_that_is_over_tells_no_month(self, read: Read) -> None:
        assert (
            said(read("greener-offices"))["People"] == "48 of 60 members (80%) put coins on an idea or submitted one."
        )

    def test_a_month_whose_number_is_hidden_is_left_out(self, read: Read) -> None:
        content = read("tools-we-miss")
        hidden = tuple(replace(figure, now=replace(figure.now, value=None)) for figure in content.recent)
        assert said(replace(content, recent=hidden))["People"] == (
            "32 of 40 members (80%) put coins on an idea or submitted one."
        )

    def test_a_month_without_anybody_says_none(self, read: Read) -> None:
        content = read("tools-we-miss")
        quiet = tuple(replace(figure, now=replace(figure.now, value=0.0, numerator=0.0)) for figure in content.recent)
        assert "; none did in the last 30 days, after 10 " in said(replace(content, recent=quiet))["People"]

    def test_one_member(self, read: Read) -> None:
        content = with_figure(read("greener-offices"), "participation", numerator=1.0, denominator=1.0, value=1.0)
        assert said(content)["People"] == "The only member has put a coin on an idea or submitted one."

    def test_nobody_took_part(self, read: Read) -> None:
        content = with_figure(read("greener-offices"), "participation", numerator=0.0, denominator=9.0, value=0.0)
        assert said(content)["People"] == "None of the 9 members has put a coin on an idea or submitted one."

    def test_nobody_has_joined(self, read: Read) -> None:
        content = read("greener-offices")
        assert (
            said(replace(content, campaign=replace(content.campaign, members=0)))["People"]
            == "No person has joined yet."
        )

    def test_a_hidden_number_gives_its_reason(self, read: Read) -> None:
        content = with_figure(
            read("greener-offices"), "participation", numerator=None, value=None, unknown_reason="fewer than 5 people"
        )
        assert (
            said(content)["People"]
            == "60 people are members; how many of them took part is not known (fewer than 5 people)."
        )

    def test_an_election_does_not_know_who_could_have_voted(self, read: Read) -> None:
        assert said(read("toulouse-2019"))["People"] == (
            "70 people voted; how many could have voted is not in the file."
        )

    def test_an_election_with_an_electorate_gives_the_turnout(self, read: Read) -> None:
        content = read("toulouse-2019")
        content = replace(content, campaign=replace(content.campaign, members=1, eligible_people=8))
        assert said(content)["People"] == "1 person voted, 12.5% of the 8 who could."


class TestIdeas:
    def test_the_outcome_of_an_election_may_be_unknown(self, read: Read) -> None:
        assert said(read("toulouse-2019"))["Ideas"].endswith("; which of them won is not in the file.")
        assert said(read("toulouse-2019"))["Ideas"].startswith("8 ideas were on the ballot; ")

    def test_accepted_ideas_and_the_leader(self, read: Read) -> None:
        content = with_figure(read("lodz-2020"), "overdue", value=0.0)
        assert said(content)["Ideas"] == (
            "7 of 14 ideas were accepted; “Idea 8 of campaign 5” leads with 1,096 coins, 12.7% of the 8,619 coins."
        )

    @pytest.mark.parametrize(
        ("number", "status", "start"),
        [
            (0, "competing", "There are no ideas yet."),
            (1, "competing", "The only idea has not been accepted;"),
            (1, "complete", "The only idea was accepted;"),
            (3, "complete", "All 3 ideas were accepted;"),
            (3, "competing", "None of the 3 ideas has been accepted so far;"),
        ],
    )
    def test_few_ideas(self, read: Read, number: int, status: str, start: str) -> None:
        assert said(with_ideas(read("tools-we-miss"), number, status=status))["Ideas"].startswith(start)

    @pytest.mark.parametrize(
        ("number", "coins", "part"),
        [
            (1, 1, "; 1 coin was put on it;"),
            (1, 0, "; no coins are on it;"),
            (2, 0, "; no coins are on them;"),
            (2, 1, "; 2 share the lead with 1 coin each, 50% of the 2 coins;"),
        ],
    )
    def test_few_coins(self, read: Read, number: int, coins: int, part: str) -> None:
        assert part in said(with_ideas(read("tools-we-miss"), number, coins=coins))["Ideas"]

    def test_one_overdue_idea_is_singular(self, read: Read) -> None:
        content = with_figure(read("tools-we-miss"), "overdue", value=1.0)
        assert said(content)["Ideas"].endswith("; 1 is overdue for a decision or a next step.")


class TestReturn:
    def test_currencies_stand_apart(self, read: Read) -> None:
        assert said(read("greener-offices"))["Return"] == (
            "The 5 ideas in EUR with known cost and value cost EUR 77,000 and brought EUR 106,600, a return of 38.4%; "
            "the one idea in USD cost USD 19,000 and brought USD 53,200, a return of 180%."
        )

    def test_what_is_not_measured_is_said(self, read: Read) -> None:
        assert said(read("faster-deliveries"))["Return"].endswith(
            "; the return of 6 other accepted ideas is not known yet."
        )

    def test_a_loss_is_called_one(self, read: Read) -> None:
        content = read("greener-offices")
        content = replace(content, to_date=tuple(f for f in content.to_date if f.currency != "USD"))
        content = with_figure(content, "roi", numerator=-40.0, denominator=80.0, value=-0.5)
        assert said(content)["Return"].startswith(
            "The 5 ideas with known cost and value cost EUR 80 and brought EUR 40, a loss of 50%"
        )

    def test_nothing_accepted(self, read: Read) -> None:
        assert said(read("tools-we-miss"))["Return"] == (
            "No idea has been accepted so far, so nothing has been returned yet."
        )

    def test_accepted_and_unmeasured(self, read: Read) -> None:
        content = with_ideas(read("tools-we-miss"), 2, status="accepted")
        assert said(content)["Return"] == (
            "What the 2 accepted ideas returned is not known: none has both a realised cost and a realised value."
        )
        assert said(with_ideas(content, 1))["Return"] == (
            "What the accepted idea returned is not known: its realised cost or value is missing."
        )

    def test_an_election_knows_what_ideas_were_to_cost(self, read: Read) -> None:
        content = read("toulouse-2019")
        costs = pl.DataFrame({
            "idea_id": content.ideas["idea_id"][:2], "currency": ["EUR", "EUR"], "expected_cost": [1000, 500],
            "has_both": [False, False],
        })  # fmt: skip
        assert said(replace(content, roi=costs))["Return"] == (
            "What the ideas brought is not in the file; the 2 ideas with an estimate were to cost EUR 1,500 in all."
        )

    def test_estimates_in_two_currencies_are_not_added(self, read: Read) -> None:
        content = read("toulouse-2019")
        costs = pl.DataFrame({
            "idea_id": content.ideas["idea_id"][:2], "currency": ["EUR", "PLN"], "expected_cost": [1000, 500],
            "has_both": [False, False],
        })  # fmt: skip
        assert said(replace(content, roi=costs))["Return"] == "What the ideas brought is not in the file."


class TestConservationStatement:
    def test_all_coins_are_found(self, read: Read) -> None:
        assert conservation_statement(read("greener-offices")) == (
            "Every coin is accounted for: 6,000 coins were given out, and the same number is found."
        )

    @pytest.mark.parametrize(("difference", "part"), [(3, "3 too few are found"), (-2, "2 too many are found")])
    def test_a_difference_is_a_warning(self, read: Read, difference: int, part: str) -> None:
        content = read("greener-offices")
        assert content.conservation is not None
        content = replace(content, conservation={**content.conservation, "difference_coins": difference})
        text = conservation_statement(content)
        assert part in text
        assert "Do not rely" in text

    def test_a_missing_statement_is_not_taken_for_a_good_one(self, read: Read) -> None:
        text = conservation_statement(replace(read("greener-offices"), conservation=None))
        assert text == "The snapshot holds no conservation statement for this campaign."


class TestLedgerHead:
    def test_is_written_as_it_is_checked(self, read: Read) -> None:
        content = read("faster-deliveries")
        campaign = replace(content.campaign, chain_height=1214)
        head = ledger_head(replace(content, campaign=campaign)).replace("\N{NO-BREAK SPACE}", " ")
        assert head == f"block 1214, {campaign.chain_hash}, sealed 30 Jun 2026, 00:00 UTC"

    def test_says_when_nothing_is_sealed(self, read: Read) -> None:
        content = read("faster-deliveries")
        campaign = replace(content.campaign, chain_height=None, chain_hash=None, chain_sealed_at=None)
        assert ledger_head(replace(content, campaign=campaign)) == "no transfer has been sealed yet"
