"""Parts of every page: style, heading with the age of the data, notices, and the selection of a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Final, NoReturn

import streamlit as st

from dashboards import session
from dashboards.data import View
from pipelines import wording
from pipelines.marts import Campaign, Snapshot

_STYLE: Final = Path(__file__).with_name("style.css")
_CHOSEN: Final = "chosen campaign of"
_PAGE: Final = "current page"
_PARAMETER: Final = "campaign"
_EVERYTHING: Final = ""
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


def headline(text: str) -> None:
    """Show the most important sentence of a page, if there is one."""
    if text:
        st.html(f'<p class="im-headline">{escape(text)}</p>')


def section(title: str, note: str = "") -> None:
    """Show a heading inside a page, with an explanation."""
    below = f'<p class="im-note">{escape(note)}</p>' if note else ""
    st.html(f'<div class="im-section"><h2 dir="auto">{escape(title)}</h2>{below}</div>')


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


def choose_campaign(view: View, page: str, *, everything: str | None = None) -> Campaign | None:
    """Let the viewer select a campaign of the scope in the sidebar; imported ones are listed on request.

    `everything` is the label of an option for all campaigns, which returns None. Without it the result is None only if
    the scope contains no campaign. The selection is in the address as `?campaign=slug`, so the browser's Back undoes it.
    Each page keeps its own selection while other pages are open. An unknown campaign in the address ends the page with a
    notice.
    """
    campaigns = view.campaigns()
    by_slug = {campaign.slug: campaign for campaign in campaigns}
    asked = st.query_params.get(_PARAMETER) or _kept(page, by_slug)
    requested = by_slug.get(asked)
    has_own = any(not campaign.is_imported for campaign in campaigns)
    with_imported = not has_own
    sidebar = st.sidebar.container()
    if has_own and any(campaign.is_imported for campaign in campaigns):
        with_imported = sidebar.toggle(
            "Imported elections too",
            value=requested is not None and requested.is_imported,
            help="Imported elections are shown separately: their files contain only voters and no times.",
        )
    offered = [slug for slug, campaign in by_slug.items() if with_imported or not campaign.is_imported or slug == asked]
    if everything is not None:
        offered.insert(0, _EVERYTHING)
    if not offered:
        return None
    is_unknown = bool(asked) and requested is None
    start = None if is_unknown else offered.index(asked) if asked in offered else 0
    chosen = sidebar.selectbox(
        "Campaign",
        offered,
        index=start,
        key=f"campaign of {page}: {asked}",  # another address is another widget, which begins with its campaign
        format_func=lambda slug: _name(by_slug[slug]) if slug in by_slug else everything or "",
    )
    if chosen is None:
        _unknown(view, asked)
    st.session_state[f"{_CHOSEN} {page}"] = chosen
    if chosen == _EVERYTHING:
        st.query_params.pop(_PARAMETER, None)
    elif st.query_params.get(_PARAMETER) != chosen:
        st.query_params[_PARAMETER] = chosen
    return by_slug.get(chosen)


def _kept(page: str, by_slug: Mapping[str, Campaign]) -> str:
    """The page's earlier selection if the viewer comes from another page, otherwise none: Back may have removed it."""
    has_arrived = st.session_state.get(_PAGE) != page
    st.session_state[_PAGE] = page
    slug = str(st.session_state.get(f"{_CHOSEN} {page}", _EVERYTHING))
    return slug if has_arrived and slug in by_slug else _EVERYTHING


def _unknown(view: View, asked: str) -> NoReturn:
    heading("Unknown campaign", view)
    notice(
        f"There is no campaign \u201c{wording.shortened(asked, 80)}\u201d among those that you may read.",
        "Select another one in the sidebar. A new campaign appears after the next refresh of the data.",
    )
    st.stop()


def _name(campaign: Campaign) -> str:
    return f"{wording.shortened(campaign.title, 90)}{' (imported)' if campaign.is_imported else ''}"
