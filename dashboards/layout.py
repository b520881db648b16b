"""Parts of every page: style, heading with the age of the data, notices, and the selection of a campaign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Final

import streamlit as st

from dashboards import session
from dashboards.data import View
from pipelines import wording
from pipelines.marts import Campaign, Snapshot

_STYLE: Final = Path(__file__).with_name("style.css")
_CHOSEN: Final = "chosen campaign"
_STALE_AFTER: Final = timedelta(hours=26)  # a day between refreshes, and the duration of one


def apply_style() -> None:
    """Load the style sheet, which contains both themes."""
    st.html(_STYLE)


def heading(title: str, view: View, subtitle: str = "") -> None:
    """Show the page's title, which may be user-written, the age of the data, and whether newer data was refused."""
    below = f'<p class="im-subtitle">{escape(subtitle)}</p>' if subtitle else ""
    st.html(
        f'<header class="im-heading"><div><h1 dir="auto">{escape(title)}</h1>{below}</div>{_age(view.snapshot)}</header>'
        f"{_refused(view)}"
    )


def _refused(view: View) -> str:
    refusal = view.refusal()
    if refusal is None:
        return ""
    dated = f"This page shows the data {wording.as_of(view.snapshot.created_at)}."
    return (
        f'<div class="im-refused" role="alert"><b>{escape(wording.refused(refusal))}</b> '
        f"<span>{escape(dated)} {escape(wording.refusal_reasons(refusal))}</span></div>"
    )


def _age(snapshot: Snapshot) -> str:
    span = datetime.now(UTC) - snapshot.created_at
    is_stale = span > _STALE_AFTER
    warning = " im-stale" if is_stale else ""
    note = " · older than a day" if is_stale else ""
    return (
        f'<p class="im-age{warning}" data-snapshot="{escape(snapshot.id)}">'
        f"Data as of <b>{wording.minute(snapshot.created_at)}</b><br>{wording.age(span)}{note}</p>"
    )


def section(title: str, note: str = "") -> None:
    """Show a heading inside a page, with an explanation."""
    below = f'<p class="im-note">{escape(note)}</p>' if note else ""
    st.html(f'<div class="im-section"><h2 dir="auto">{escape(title)}</h2>{below}</div>')


def headline(text: str) -> None:
    """Show the most important sentence of a page, if there is one."""
    if text:
        st.html(f'<p class="im-headline">{escape(text)}</p>')


def notice(text: str, detail: str = "") -> None:
    """Show a sentence in place of a chart, with the reason."""
    below = f"<span>{escape(detail)}</span>" if detail else ""
    st.html(f'<div class="im-notice" role="note"><b>{escape(text)}</b>{below}</div>')


def statement(text: str, *, is_good: bool) -> None:
    """Show the conclusion of a page in green or red, with a sign for readers who cannot distinguish them."""
    kind, sign = ("good", "✓") if is_good else ("bad", "✗")
    st.html(
        f'<div class="im-statement im-{kind}" role="status"><span aria-hidden="true">{sign}</span>{escape(text)}</div>'
    )


def button(label: str, url: str, *, is_primary: bool = False) -> None:
    """A link that looks like a button. Unlike Streamlit's, it opens in the same tab."""
    kind = " im-primary" if is_primary else ""
    st.html(f'<a class="im-button{kind}" href="{escape(url)}" target="_self">{escape(label)}</a>')


def account(viewer: session.Viewer) -> None:
    """Show in the sidebar who is logged in, and the log-out button."""
    with st.sidebar:
        st.html(
            f'<div class="im-account"><b dir="auto">{escape(viewer.display_name)}</b>'
            f"<span>{escape(viewer.role_label)}</span></div>"
        )
        button("Log out", session.logout_url())


def choose_campaign(view: View, *, everything: str | None = None) -> Campaign | None:
    """Let the viewer select a campaign of the scope in the sidebar; imported ones are listed on request.

    `everything` is the label of an option for all campaigns, which returns None. Without it the result is None only if
    the scope contains no campaign. The selection is kept across pages, and in the address as `?campaign=slug`.
    """
    campaigns = view.campaigns()
    by_slug = {campaign.slug: campaign for campaign in campaigns}
    requested = by_slug.get(st.query_params.get("campaign") or st.session_state.get(_CHOSEN, ""))
    has_own = any(not campaign.is_imported for campaign in campaigns)
    has_imported = any(campaign.is_imported for campaign in campaigns)
    with_imported = not has_own
    sidebar = st.sidebar.container()
    if has_own and has_imported:
        with_imported = sidebar.toggle(
            "Imported elections too",
            value=requested is not None and requested.is_imported,
            help="Imported elections are shown separately: their files contain only voters and no times.",
        )
    offered: list[str | None] = [campaign.slug for campaign in campaigns if with_imported or not campaign.is_imported]
    if everything is not None:
        offered.insert(0, None)
    if not offered:
        return None
    start = requested.slug if requested is not None and requested.slug in offered else offered[0]
    chosen = sidebar.selectbox(
        "Campaign",
        offered,
        index=offered.index(start),
        format_func=lambda slug: everything or "" if slug is None else _name(by_slug[slug]),
    )
    st.session_state[_CHOSEN] = chosen or ""
    if chosen is None:
        st.query_params.pop("campaign", None)
        return None
    st.query_params["campaign"] = chosen
    return by_slug[chosen]


def _name(campaign: Campaign) -> str:
    return f"{wording.shortened(campaign.title, 90)}{' (imported)' if campaign.is_imported else ''}"
