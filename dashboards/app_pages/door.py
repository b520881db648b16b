"""What people see who may not look, or cannot yet."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboards import session


def log_in() -> None:
    """Nobody is logged in: the way to the log-in page."""
    _say("Ideamint dashboards", "Log in to see how your organisation's ideas are doing.")
    _centred("Log in", session.login_url())


def members_only(viewer: session.Viewer) -> None:
    """A member: these pages are not for them, and that is no fault of theirs."""
    _say(
        f"Hello, {viewer.display_name}",
        "These dashboards are for executives and for those who manage a campaign. "
        "Your own coins and ideas are where you took part; here is nothing you need to do.",
    )
    _centred("Log out", session.logout_url())


def no_answer() -> None:
    """The API is away, so nobody can be known."""
    _say(
        "The log-in does not answer",
        "The dashboards ask the API who you are, and it does not answer right now. Try again in a minute; "
        "if it stays so, tell your administrator.",
    )


def no_snapshot(reason: str) -> None:
    """Nothing is published yet."""
    _say(
        "There is no data yet", "The first refresh has not been published. It runs daily, and with `ideamint refresh`."
    )
    st.caption(escape(reason))


def _say(title: str, text: str) -> None:
    st.html(f'<div class="im-door"><h1 dir="auto">{escape(title)}</h1><p>{escape(text)}</p></div>')


def _centred(label: str, url: str) -> None:
    _, middle, _ = st.columns([1, 1.6, 1])
    middle.link_button(label, url, type="primary")
