"""Retention: members by the month in which they joined, and how many were active later."""

from __future__ import annotations

import polars as pl

from dashboards import charts, layout
from dashboards.data import View
from pipelines import wording
from pipelines.marts import GROUP_SIZE_MIN


def render(view: View) -> None:
    """Draw the page, for people who see all campaigns."""
    layout.heading("Cohorts", view.snapshot, "Of the people who joined in a month, the share who were active later")
    cohorts = view.cohorts()
    if cohorts.is_empty():
        layout.notice("No person has joined one of our own campaigns yet.", "Imported elections have no cohorts.")
        return
    charts.show(charts.retention(cohorts), key="retention", alt="Retention by month of joining")
    layout.section("How to read it")
    layout.notice(
        "A row is a cohort: the people who first joined one of our own campaigns in that month, with their number.",
        "A cell is the share of them with a stake or an idea in that month after joining; month 0 is the month itself. "
        f"“<{GROUP_SIZE_MIN}” means: not shown, for {wording.FEWER_PEOPLE}. "
        "Imported elections are not included: their files contain no times.",
    )
    if cohorts.filter(pl.col("members").is_not_null()).is_empty():
        layout.notice("Not shown", f"Every cohort has {wording.FEWER_PEOPLE}.")
