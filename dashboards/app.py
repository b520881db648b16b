"""Entry point of the dashboards. The role of the viewer decides which pages are shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

# `streamlit run` adds only this file's folder to the path, and runs the file again at every interaction
sys.path[:] = dict.fromkeys([str(Path(__file__).resolve().parents[1]), *sys.path])

import streamlit as st  # noqa: E402 - imports need the path that is set above

from dashboards import data, layout, session  # noqa: E402
from dashboards.app_pages import access, campaign, cohorts, conservation, overview, roi  # noqa: E402
from pipelines.marts import NoSnapshot, Scope  # noqa: E402

_FOLDER: Final = Path(__file__).resolve().parent

_PAGES: Final = (
    (overview.render, "Overview", "dashboard"),
    (campaign.render, "Campaign", "campaign"),
    (roi.render, "ROI", "trending_up"),
    (cohorts.render, "Cohorts", "groups"),
    (conservation.render, "Coin conservation", "balance"),
)

_ABOUT: Final = (
    "**Ideamint** shows the results of campaigns: who takes part, where the coins are, and what the ideas returned."
)


def main() -> None:
    """Check access, and run the chosen page."""
    st.set_page_config(page_icon=str(_FOLDER / "icon.svg"), layout="wide", menu_items={"About": _ABOUT})
    layout.apply_style()
    viewer = session.current()
    if isinstance(viewer, session.Absent):
        _show_only(access.log_in if viewer.reason == "not logged in" else access.api_unavailable, "Log in")
    elif viewer.scope is None:
        _show_only(partial(access.members_only, viewer), "No access")
    else:
        _show_pages(viewer, viewer.scope)


def _show_only(page: Callable[[], None], title: str) -> None:
    """Show one page at every address, so that a link to another page does not lead to "Page not found"."""
    paths = ("", *(_path(name) for _, name, _ in _PAGES[1:]))
    pages = [
        st.Page(page, title=_title(title), url_path=path or "access", default=not path) for path in paths
    ]  # fmt: skip
    st.navigation(pages, position="hidden").run()


def _title(name: str) -> str:
    """The title of the browser's tab."""
    return f"{name} \u00b7 Ideamint"


def _path(name: str) -> str:
    return name.lower().replace(" ", "-")


def _show_pages(viewer: session.Viewer, scope: Scope) -> None:
    try:
        view = data.view(scope)
    except NoSnapshot:
        _show_only(partial(access.no_snapshot, scope), "No data yet")
        return
    pages = [page for page in _PAGES if viewer.sees_all or page[0] is not cohorts.render]
    st.logo(str(_FOLDER / "logo.svg"), icon_image=str(_FOLDER / "icon.svg"), size="large")
    chosen = st.navigation(
        [
            st.Page(
                partial(render, view),
                title=title,
                icon=f":material/{icon}:",
                url_path=_path(title),
                default=render is overview.render,
            )
            for render, title, icon in pages
        ]
    )
    st.set_page_config(page_title=_title(chosen.title))
    chosen.run()
    layout.account(viewer)


main()
