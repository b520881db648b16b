"""The dashboards' entrance: who looks decides which pages there are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

# `streamlit run` knows the folder of this file alone, and runs it anew for every click
sys.path[:] = dict.fromkeys([str(Path(__file__).resolve().parents[1]), *sys.path])

import streamlit as st  # noqa: E402 - the line above comes first, here and below

from dashboards import data, layout, session  # noqa: E402
from dashboards.app_pages import campaign, cohorts, conservation, door, overview, roi  # noqa: E402
from pipelines.marts import NoSnapshot, Scope  # noqa: E402

_FOLDER: Final = Path(__file__).resolve().parent

_ABOUT: Final = "**Ideamint** shows what becomes of ideas: who takes part, where the coins are, and what was returned."


def main() -> None:
    """Let people in, and run the page they chose."""
    st.set_page_config(
        page_title="Ideamint", page_icon=str(_FOLDER / "icon.svg"), layout="wide", menu_items={"About": _ABOUT}
    )
    layout.apply_style()
    viewer = session.current()
    if isinstance(viewer, session.Absent):
        _only(door.log_in if viewer.reason == "not logged in" else door.no_answer, "Log in")
    elif viewer.scope is None:
        _only(partial(door.members_only, viewer), "Hello")
    else:
        _inside(viewer, viewer.scope)


def _only(page: Callable[[], None], title: str) -> None:
    st.navigation([st.Page(page, title=title, url_path="door")], position="hidden").run()


def _inside(viewer: session.Viewer, scope: Scope) -> None:
    try:
        view = data.view(scope)
    except NoSnapshot:
        _only(door.no_snapshot, "No data yet")
        return
    pages = [
        (overview.render, "Overview", "dashboard"),
        (campaign.render, "Campaign", "campaign"),
        (roi.render, "ROI", "trending_up"),
        (conservation.render, "Coin conservation", "balance"),
    ]
    if viewer.sees_all:
        pages.insert(3, (cohorts.render, "Cohorts", "groups"))
    st.logo(str(_FOLDER / "logo.svg"), icon_image=str(_FOLDER / "icon.svg"), size="large")
    chosen = st.navigation(
        [
            st.Page(
                partial(render, view),
                title=title,
                icon=f":material/{icon}:",
                url_path=title.lower().replace(" ", "-"),
                default=render is overview.render,
            )
            for render, title, icon in pages
        ]
    )
    chosen.run()
    layout.who(viewer)


main()
