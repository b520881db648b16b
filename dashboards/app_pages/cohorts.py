"""Do people come back: members by the month in which they joined, and how many were active later."""

from __future__ import annotations

import polars as pl

from dashboards import charts, layout
from dashboards.data import View


def render(view: View) -> None:
    """Draw the page, for those who see all campaigns."""
    layout.heading("Cohorts", view.snapshot, "Of the people who joined in a month, the share who were active later")
    cohorts = view.cohorts()
    if cohorts.is_empty():
        layout.notice("Nobody has joined a campaign of ours yet.", "Imported elections say nothing of cohorts.")
        return
    charts.show(charts.retention(cohorts), key="retention", alt="Retention by month of joining")
    layout.section("How to read it")
    layout.notice(
        "A row is everybody who first joined one of our own campaigns in that month, with their number.",
        "A cell is the share of them with a stake or an idea in that month after joining; month 0 is the month itself. "
        "“<5” stands where a number is not shown because it is of fewer than 5 people. "
        "Imported elections are not in it: their files hold no times.",
    )
    if cohorts.filter(pl.col("members").is_not_null()).is_empty():
        layout.notice("Not shown", "Every cohort is of fewer than 5 people.")
