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


def texts(content: Content) -> dict[str, str]:
    return {sentence.about: sentence.text.replace("\N{NO-BREAK SPACE}", " ") for sentence in sentences(content)}


def with_figure(content: Content, name: str, **now: Any) -> Content:
    def changed(figure: Figure) -> Figure:
        return replace(figure, now=replace(figure.now, **now)) if figure.name == name else figure

    return replace(content, to_date=tuple(changed(figure) for figure in content.to_date))


def with_ideas(content: Content, number: int, **columns: Any) -> Content:
    ideas = content.ideas.head(number).with_columns(**{name: pl.lit(value) for name, value in columns.items()})
    return replace(content, ideas=ideas)


class TestPeople:
    def test_participation_with_the_last_two_months(self, read: Read) -> None:
        assert texts(read("tools-we-miss"))["People"] == (
            "32 of 40 members (80%) put coins on an idea or submitted one; "
            "13 did in the last 30 days, after 10 in the 30 days before."
        )

    def test_a_completed_campaign_has_no_recent_numbers(self, read: Read) -> None:
        assert (
            texts(read("greener-offices"))["People"] == "48 of 60 members (80%) put coins on an idea or submitted one."
        )

    def test_a_hidden_recent_number_is_left_out(self, read: Read) -> None:
        content = read("tools-we-miss")
        hidden = tuple(replace(figure, now=replace(figure.now, value=None)) for figure in content.recent)
        assert texts(replace(content, recent=hidden))["People"] == (
            "32 of 40 members (80%) put coins on an idea or submitted one."
        )

    def test_a_month_without_participants_is_none(self, read: Read) -> None:
        content = read("tools-we-miss")
        without_participants = tuple(
            replace(figure, now=replace(figure.now, value=0.0, numerator=0.0)) for figure in content.recent
        )
        assert (
            "; none did in the last 30 days, after 10 "
            in texts(replace(content, recent=without_participants))["People"]
        )

    def test_one_member(self, read: Read) -> None:
        content = with_figure(read("greener-offices"), "participation", numerator=1.0, denominator=1.0, value=1.0)
        assert texts(content)["People"] == "The only member has put a coin on an idea or submitted one."

    def test_no_participants(self, read: Read) -> None:
        content = with_figure(read("greener-offices"), "participation", numerator=0.0, denominator=9.0, value=0.0)
        assert texts(content)["People"] == "None of the 9 members has put a coin on an idea or submitted one."

    def test_no_members(self, read: Read) -> None:
        content = read("greener-offices")
        assert (
            texts(replace(content, campaign=replace(content.campaign, members=0)))["People"]
            == "No person has joined yet."
        )

    def test_a_hidden_number_is_replaced_by_its_reason(self, read: Read) -> None:
        content = with_figure(
            read("greener-offices"), "participation", numerator=None, value=None, unknown_reason="fewer than 5 people"
        )
        assert (
            texts(content)["People"]
            == "60 people are members; how many of them took part is not known (fewer than 5 people)."
        )

    def test_an_election_without_the_number_of_eligible_people(self, read: Read) -> None:
        assert texts(read("toulouse-2019"))["People"] == (
            "70 people voted; the number of eligible people is not in the file."
        )

    def test_an_election_with_the_number_of_eligible_people_has_a_turnout(self, read: Read) -> None:
        content = read("toulouse-2019")
        content = replace(content, campaign=replace(content.campaign, members=1, eligible_people=8))
        assert texts(content)["People"] == "1 person voted, 12.5% of the 8 eligible people."


class TestIdeas:
    def test_the_outcome_of_an_election_may_be_unknown(self, read: Read) -> None:
        assert texts(read("toulouse-2019"))["Ideas"].endswith("; which ideas were selected is not in the file.")
        assert texts(read("toulouse-2019"))["Ideas"].startswith("8 ideas were on the ballot; ")

    def test_accepted_ideas_and_the_leader(self, read: Read) -> None:
        content = with_figure(read("lodz-2020"), "overdue", value=0.0)
        assert texts(content)["Ideas"] == (
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
        assert texts(with_ideas(read("tools-we-miss"), number, status=status))["Ideas"].startswith(start)

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
        assert part in texts(with_ideas(read("tools-we-miss"), number, coins=coins))["Ideas"]

    def test_one_overdue_idea_is_singular(self, read: Read) -> None:
        content = with_figure(read("tools-we-miss"), "overdue", value=1.0)
        assert texts(content)["Ideas"].endswith("; 1 is overdue for a decision or a next step.")


class TestReturn:
    def test_currencies_are_separate(self, read: Read) -> None:
        assert texts(read("greener-offices"))["Return"] == (
            "The 5 ideas in EUR with known cost and value cost EUR 77,000 and returned EUR 106,600, a return of 38.4%; "
            "the one idea in USD cost USD 19,000 and returned USD 53,200, a return of 180%."
        )

    def test_ideas_without_a_known_return_are_counted(self, read: Read) -> None:
        assert texts(read("faster-deliveries"))["Return"].endswith(
            "; the return of 6 other accepted ideas is not known yet."
        )

    def test_a_negative_return_is_a_loss(self, read: Read) -> None:
        content = read("greener-offices")
        content = replace(content, to_date=tuple(f for f in content.to_date if f.currency != "USD"))
        content = with_figure(content, "roi", numerator=-40.0, denominator=80.0, value=-0.5)
        assert texts(content)["Return"].startswith(
            "The 5 ideas with known cost and value cost EUR 80 and returned EUR 40, a loss of 50%"
        )

    def test_no_accepted_ideas(self, read: Read) -> None:
        assert texts(read("tools-we-miss"))["Return"] == (
            "No idea has been accepted so far, so there is no return yet."
        )

    def test_accepted_ideas_without_a_known_return(self, read: Read) -> None:
        content = with_ideas(read("tools-we-miss"), 2, status="accepted")
        assert texts(content)["Return"] == (
            "The return of the 2 accepted ideas is not known: none has both a realised cost and a realised value."
        )
        assert texts(with_ideas(content, 1))["Return"] == (
            "The return of the accepted idea is not known: its realised cost or value is missing."
        )

    def test_an_election_has_the_estimated_cost(self, read: Read) -> None:
        content = read("toulouse-2019")
        costs = pl.DataFrame({
            "idea_id": content.ideas["idea_id"][:2], "currency": ["EUR", "EUR"], "expected_cost": [1000, 500],
            "has_both": [False, False],
        })  # fmt: skip
        assert texts(replace(content, roi=costs))["Return"] == (
            "The realised value of the ideas is not in the file; the estimated cost of 2 ideas is EUR 1,500 in total."
        )

    def test_estimates_in_two_currencies_are_not_added(self, read: Read) -> None:
        content = read("toulouse-2019")
        costs = pl.DataFrame({
            "idea_id": content.ideas["idea_id"][:2], "currency": ["EUR", "PLN"], "expected_cost": [1000, 500],
            "has_both": [False, False],
        })  # fmt: skip
        assert texts(replace(content, roi=costs))["Return"] == "The realised value of the ideas is not in the file."


class TestConservationStatement:
    def test_all_coins_are_accounted_for(self, read: Read) -> None:
        assert conservation_statement(read("greener-offices")) == (
            "As of 30\N{NO-BREAK SPACE}Jun\N{NO-BREAK SPACE}2026, 04:00\N{NO-BREAK SPACE}UTC, every coin is accounted for: 6,000 coins were given out, and the accounts contain the same number."
        )

    @pytest.mark.parametrize(("difference", "part"), [(3, "3 coins are missing"), (-1, "1 coin is too many")])
    def test_a_difference_is_a_warning(self, read: Read, difference: int, part: str) -> None:
        content = read("greener-offices")
        assert content.conservation is not None
        content = replace(
            content, conservation={**content.conservation, "difference_coins": difference, "is_balanced": False}
        )
        text = conservation_statement(content)
        assert part in text
        assert "Do not rely" in text

    def test_a_missing_statement_is_reported(self, read: Read) -> None:
        text = conservation_statement(replace(read("greener-offices"), conservation=None))
        assert text == "The snapshot contains no conservation statement for this campaign."


class TestLedgerHead:
    def test_has_the_format_that_verification_accepts(self, read: Read) -> None:
        content = read("faster-deliveries")
        campaign = replace(content.campaign, chain_height=1214)
        head = ledger_head(replace(content, campaign=campaign)).replace("\N{NO-BREAK SPACE}", " ")
        assert head == f"block 1214, {campaign.chain_hash}, sealed 30 Jun 2026, 00:00 UTC"

    def test_states_that_nothing_is_sealed(self, read: Read) -> None:
        content = read("faster-deliveries")
        campaign = replace(content.campaign, chain_height=None, chain_hash=None, chain_sealed_at=None)
        assert ledger_head(replace(content, campaign=campaign)) == "no transfer has been sealed yet"
