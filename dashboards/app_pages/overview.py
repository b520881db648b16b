"""The executive overview: five questions, and the figures that answer them."""

from __future__ import annotations

from dashboards import cards, layout
from dashboards.data import View
from pipelines import wording
from pipelines.marts import Period


def render(view: View) -> None:
    """Draw the page for all the organisation's own campaigns together, or for one campaign."""
    campaign = layout.choose_campaign(
        view, "overview", everything="All our own campaigns" if view.scope.sees_all else None
    )
    if campaign is None and not view.scope.sees_all:
        layout.heading("Overview", view)
        layout.notice("Your campaigns have no figures yet.", "They appear after the next refresh of the data.")
        return
    campaign_id = campaign.campaign_id if campaign else None
    title = campaign.title if campaign else "Overview"
    subtitle = "The organisation's own campaigns, to date, and the last 30 days compared with the 30 days before"
    if campaign is not None:
        subtitle = "This campaign to date, and the last 30 days compared with the 30 days before"
    if campaign is not None and campaign.is_imported:
        subtitle = "An imported election: its file contains only voters and no times"
    layout.heading(title, view, subtitle)
    if campaign is not None:
        layout.headline(wording.result(campaign))
    figures = view.figures(campaign_id)
    if not figures:
        layout.notice("There are no figures yet.", "They appear after the next refresh of the data.")
        return
    cards.questions(figures, view.figures(campaign_id, Period.LAST_30_DAYS))
