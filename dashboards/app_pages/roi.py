"""Return on investment: cost and value of ideas, expected and realised, by currency."""

from __future__ import annotations

from typing import Final

import polars as pl

from dashboards import cards, charts, layout, tables
from dashboards.data import View
from dashboards.tables import Column
from pipelines import wording

_FIGURES: Final = ("roi", "coverage", "delivery")
_TOP: Final = 15
_COLUMNS: Final = (
    Column("Idea"),
    Column("Campaign"),
    Column("Status", is_short=True),
    Column("Expected cost", is_number=True),
    Column("Realised cost", is_number=True),
    Column("Expected value", is_number=True),
    Column("Realised value", is_number=True),
    Column("ROI", is_number=True, hint="(Realised value - realised cost) / realised cost"),
    Column("As of", is_short=True),
)


def render(view: View) -> None:
    """Draw the page for all own campaigns (if the viewer sees all), or for one."""
    campaign = layout.choose_campaign(view, "roi", everything="All our own campaigns" if view.scope.sees_all else None)
    layout.heading("Return on investment", view, "Amounts of different currencies are never added")
    if campaign is None and not view.scope.sees_all:
        layout.notice("Your campaigns have no figures yet.", "They appear after the next refresh of the data.")
        return
    campaign_id = campaign.campaign_id if campaign else None
    figures = [figure for figure in view.figures(campaign_id) if figure.name in _FIGURES]
    outcomes = view.roi(campaign_id)
    currencies = outcomes["currency"].unique(maintain_order=True).to_list()
    cards.row([figure for figure in figures if figure.currency is None or len(currencies) == 1])
    if campaign is not None and campaign.is_imported and _has_only_planned_costs(outcomes):
        layout.notice(
            "Not in the file", "The file contains the planned cost of each idea, not its realised cost and value."
        )
        return
    if outcomes.is_empty():
        layout.notice("Outcome not known", "No cost or value of an idea has been recorded yet.")
        return
    for currency in currencies:
        of_currency = outcomes.filter(pl.col("currency") == currency)
        known = of_currency.filter("has_both").height
        layout.section(
            str(currency),
            f"{wording.count(known)} of {wording.count(of_currency.height)} ideas have a realised cost and value"
            + (f"; the chart shows {_TOP}" if of_currency.height > _TOP else ""),
        )
        if len(currencies) > 1:
            cards.row([figure for figure in figures if figure.currency == currency])
        charts.show(
            charts.expected_and_realised(of_currency.head(_TOP), str(currency)),
            key=f"roi-{currency}",
            alt=f"Expected and realised cost and value in {currency}",
        )
        _table(of_currency, str(currency), with_campaign=campaign is None)


def _has_only_planned_costs(outcomes: pl.DataFrame) -> bool:
    others = ("realised_cost", "expected_value", "realised_value")
    return outcomes.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in others)).is_empty()


def _table(outcomes: pl.DataFrame, currency: str, *, with_campaign: bool) -> None:
    amounts = ("expected_cost", "realised_cost", "expected_value", "realised_value")
    tables.table(
        f"Ideas with costs and values in {currency}",
        [column for column in _COLUMNS if with_campaign or column.title != "Campaign"],
        [
            [
                wording.shortened(row["title"], 120),
                *([wording.shortened(row["campaign"], 40)] if with_campaign else []),
                wording.status_title(row["status"]),
                *(wording.amount(row[name], row["currency"]) for name in amounts),
                wording.percent(row["roi"]),
                wording.day(row["as_of"]),
            ]
            for row in outcomes.iter_rows(named=True)
        ],
    )
