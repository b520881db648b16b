"""Access pages, shown instead of the dashboards to people without access, and when the data or the API is missing."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

import streamlit as st

from dashboards import data, layout, session
from pipelines import marts, wording
from pipelines.marts import Scope

_MARK: Final = Path(__file__).parents[1] / "icon.svg"


def log_in() -> None:
    """Not logged in: a link to the log-in page."""
    _show("Ideamint dashboards", "Log in to see the results of the campaigns.", "Log in", session.login_url())


def members_only(viewer: session.Viewer) -> None:
    """Logged in as a member, who has no access to the dashboards."""
    _show(
        f"Hello, {viewer.display_name}",
        "These dashboards are for executives and campaign managers. "
        "Your coins and ideas are on the pages of your campaign.",
        "Log out",
        session.logout_url(),
    )


def api_unavailable() -> None:
    """The API does not respond, so the viewer cannot be identified."""
    _show(
        "The log-in service does not respond",
        "The dashboards cannot verify your log-in, because the API does not respond. Try again in a minute. "
        "If the problem persists, contact your administrator.",
    )


def no_snapshot(scope: Scope) -> None:
    """Logged in, but no snapshot is published yet."""
    refusal = marts.find_refusal(data.installation().paths.data_dir / "exports")
    if refusal is None:
        text = "The figures appear after the first refresh. It runs daily; `ideamint refresh` runs it now."
    else:
        text = f"{wording.refused(refusal)} {wording.refusal_reasons(refusal.within(scope, ()))}"
    _show("There is no data yet", text)


def _show(title: str, text: str, label: str = "", url: str = "") -> None:
    with st.container(key="access"):
        st.image(str(_MARK), width=52)
        st.html(f'<h1 dir="auto">{escape(title)}</h1><p>{escape(text)}</p>')
        if label:
            layout.button(label, url, is_primary=True)
