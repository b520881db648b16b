"""What people see who may not look, or cannot yet."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

import streamlit as st

from dashboards import layout, session

_MARK: Final = Path(__file__).parents[1] / "icon.svg"


def log_in() -> None:
    """Nobody is logged in: the way to the log-in page."""
    _say("Ideamint dashboards", "Log in to see what becomes of the ideas.", "Log in", session.login_url())


def members_only(viewer: session.Viewer) -> None:
    """A member: these pages are not for them, and that is no fault of theirs."""
    _say(
        f"Hello, {viewer.display_name}",
        "These dashboards are for executives and for those who manage a campaign. "
        "Your own coins and ideas are where you took part; here is nothing you need to do.",
        "Log out",
        session.logout_url(),
    )


def no_answer() -> None:
    """The API is away, so nobody can be known."""
    _say(
        "The log-in does not answer",
        "The dashboards ask the API who you are, and it does not answer right now. Try again in a minute; "
        "if it stays so, tell your administrator.",
    )


def no_snapshot() -> None:
    """Nothing is published yet."""
    _say("There is no data yet", "The figures appear after the first refresh: daily, or at once by ideamint refresh.")


def _say(title: str, text: str, label: str = "", url: str = "") -> None:
    with st.container(key="door"):
        st.image(str(_MARK), width=52)
        st.html(f'<h1 dir="auto">{escape(title)}</h1><p>{escape(text)}</p>')
        if label:
            layout.button(label, url, is_primary=True)
