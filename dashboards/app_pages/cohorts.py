"""Retention: members by the month in which they joined, and how many were active later."""

from __future__ import annotations

import polars as pl

from dashboards import charts, layout
from dashboards.data import View
from pipelines import wording
from pipelines.marts import GROUP_SIZE_MIN


def render(view: View) -> None:
    """Draw the page, for viewers of all campaigns."""
    layout.heading("Cohorts", view, "Share of the people who joined in a month and were active in later months")
    cohorts = view.cohorts()
    if cohorts.is_empty():
        layout.notice("No person has joined one of our own campaigns yet.", "Imported elections have no cohorts.")
        return
    charts.show(charts.retention(cohorts), key="retention", alt="Retention by month of joining")
    layout.section("How to read the chart")
    layout.notice(
        "A row is a cohort: the people who first joined one of our own campaigns in that month, and their number.",
        "A cell is the share of the cohort with a stake or an idea in that month after joining; month 0 is the month of joining. "
        f"“<{GROUP_SIZE_MIN}” means {wording.FEWER_PEOPLE}: the share is not shown. "
        "Imported elections are not included: their files contain no times.",
    )
    if cohorts.filter(pl.col("members").is_not_null()).is_empty():
        layout.notice("Not shown", f"Every cohort has {wording.FEWER_PEOPLE}.")
