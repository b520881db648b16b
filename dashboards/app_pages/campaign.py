"""One campaign: its ideas by coins, its coins over time, and who took part."""

from __future__ import annotations

from html import escape
from typing import Final

import polars as pl
import streamlit as st

from dashboards import charts, layout
from dashboards.data import View
from pipelines import wording
from pipelines.marts import Campaign

_TOP: Final = 15
_GROUPS: Final = 10
_OPTIONAL: Final = ("rank_in_campaign", "coins", "category")
_HIDDEN: Final = f"The campaign has {wording.FEWER_PEOPLE}: its coins and groups would reveal what single people did."
_UNORDERED: Final = ("department", "district")


def render(view: View) -> None:
    """Draw the page."""
    campaign = layout.choose_campaign(view, "campaign")
    if campaign is None:
        layout.heading("Campaign", view)
        layout.notice("There is no campaign yet.", "Campaigns appear after the next refresh of the data.")
        return
    layout.heading(campaign.title, view, _subtitle(campaign))
    layout.headline(wording.result(campaign))
    _facts(campaign)
    ideas = view.ideas(campaign.campaign_id)
    left, right = st.columns([3, 2], gap="large")
    with left:
        shown = min(_TOP, ideas.height)
        layout.section("Ideas by coins", f"Top {shown} of {wording.count(ideas.height)}; coins before settlement")
        if ideas.is_empty():
            layout.notice("No idea has been submitted yet.")
        elif campaign.is_suppressed:
            layout.notice("Not shown", _HIDDEN)
        else:
            charts.show(charts.ideas_by_coins(ideas.head(_TOP)), key="ideas", alt="Ideas ranked by their coins")
    with right:
        layout.section("Coins at work over time", "Net coins on ideas at the end of each day")
        days = view.coins_over_time(campaign.campaign_id)
        if not campaign.has_times:
            layout.notice(
                "Not in the file", "The file of an imported election does not contain when coins were placed."
            )
        elif campaign.is_suppressed:
            layout.notice("Not shown", _HIDDEN)
        elif days.is_empty():
            layout.notice("No data yet", "The first day of this campaign has not ended yet.")
        else:
            charts.show(charts.coins_over_time(days), key="days", alt="Coins at work by day")
        _groups(view, campaign)
    if not ideas.is_empty():
        layout.section("All ideas", "Double-click a title to read the full text")
        _ideas_table(ideas)


def _subtitle(campaign: Campaign) -> str:
    words = [wording.status_title(campaign.status)]
    if campaign.is_imported:
        words = ["Imported election", *([f"{campaign.ballot_type} ballots"] if campaign.ballot_type else [])]
        words += [part for part in (campaign.unit, campaign.country) if part]
    if campaign.is_mediated:
        words.append("mediated: a manager approves each idea")
    return " · ".join(words)


def _facts(campaign: Campaign) -> None:
    people = "Voters" if campaign.is_imported else "Members"
    facts = [
        (people, wording.people(campaign.members)),
        ("Ever took part", wording.NOT_IN_FILE if campaign.is_imported else wording.people(campaign.participants)),
        ("Ideas", wording.count(campaign.ideas)),
        ("Coins per member", wording.count(campaign.coins_per_member)),
        ("Budget", wording.money(campaign.budget_amount, campaign.currency)),
    ]
    if campaign.eligible_people is not None:
        facts.insert(1, ("Eligible", wording.count(campaign.eligible_people)))
    starts_at = campaign.activated_at or campaign.starts_at
    facts.append(
        ("From", wording.day(starts_at)) if campaign.has_times else ("Election ended", wording.day(campaign.ends_at))
    )
    if campaign.has_times:
        facts.append(
            ("Ended", wording.day(campaign.ends_at if campaign.status == "closed" else campaign.completed_at))
            if campaign.completed_at or campaign.status == "closed"
            else ("Until", wording.day(campaign.ends_at))
        )
    body = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts)
    st.html(f'<dl class="im-facts">{body}</dl>')


def _groups(view: View, campaign: Campaign) -> None:
    groups = view.participation_by_group(campaign.campaign_id)
    note = (
        "Voters by group; the number of eligible people is not in the file"
        if campaign.is_imported
        else "Share of each group's members with a stake or an idea"
    )
    layout.section("Participation by group", note)
    if campaign.is_suppressed:
        layout.notice("Not shown", _HIDDEN)
        return
    attributes = charts.order_of(groups["attribute"].unique().to_list())
    if not attributes:
        layout.notice(
            "Not in the file" if campaign.is_imported else "No data",
            "Age, sex, district and department are not recorded for this campaign.",
        )
        return
    chosen = st.segmented_control(
        "Group by",
        attributes,
        default=attributes[0],
        required=True,
        format_func=lambda name: wording.ATTRIBUTES.get(name, name.replace("_", " ").capitalize()),
        label_visibility="collapsed",
        key=f"groups-{campaign.campaign_id}",
    )
    of_attribute = groups.filter(pl.col("attribute") == chosen)
    shown = of_attribute.filter(~pl.col("is_suppressed"))
    if shown.is_empty():
        layout.notice("Not shown", f"Every group has {wording.FEWER_PEOPLE}.")
        return
    drawn = _largest(shown) if chosen in _UNORDERED else shown
    charts.show(
        charts.participation_by_group(drawn, is_imported=campaign.is_imported),
        key=f"participation-{chosen}",
        alt="Participation by group",
    )
    notes = []
    if drawn.height < shown.height:
        notes.append(f"The largest {drawn.height} of {shown.height} groups.")
    if hidden := of_attribute.height - shown.height:
        are = "1 group is" if hidden == 1 else f"{hidden} groups are"
        notes.append(f"{are} not shown, to protect groups of {wording.FEWER_PEOPLE}.")
    if notes:
        st.caption(" ".join(notes))


def _largest(groups: pl.DataFrame) -> pl.DataFrame:
    """The largest groups, largest first; people without a value last."""
    is_unstated = pl.col("group_name") == "not stated"
    return groups.sort(is_unstated, -pl.col("members"), "group_name").head(_GROUPS)


def _ideas_table(ideas: pl.DataFrame) -> None:
    table = ideas.select(
        "rank_in_campaign",
        "title",
        pl.col("status").map_elements(wording.status_title, return_dtype=pl.String),
        "coins",
        pl.col("backers").map_elements(wording.people, return_dtype=pl.String, skip_nulls=False),
        pl.col("category").fill_null(""),
    )
    st.dataframe(
        table,
        hide_index=True,
        height="content" if table.height <= _TOP else 460,
        column_order=[name for name in table.columns if name not in _OPTIONAL or ideas[name].count()],
        placeholder=wording.NONE,
        column_config={
            "rank_in_campaign": st.column_config.NumberColumn("Rank", width=60),
            "title": st.column_config.TextColumn("Idea", width="large"),
            "status": st.column_config.TextColumn("Status", width=130),
            "coins": st.column_config.ProgressColumn(
                "Coins", format="localized", min_value=0, max_value=max([1, *ideas["coins"].drop_nulls()])
            ),
            "backers": st.column_config.TextColumn("Backers", width="small", alignment="right"),
            "category": st.column_config.TextColumn("Category", width="medium"),
        },
        alt="All ideas of the campaign by rank",
    )
