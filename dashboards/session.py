"""The viewer of the dashboards, identified by the cookie of the API's log-in page."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, urlencode

import httpx2
import streamlit as st
from pydantic import BaseModel, ValidationError

from dashboards import data
from pipelines.marts import Scope

COOKIE: Final = "ideamint_session"
_SEES_ALL: Final = frozenset({"executive", "system_admin", "data_engineer", "data_viewer"})
_TIMEOUT_S: Final = 5.0
_CACHE_S: Final = 30


class Viewer(BaseModel, frozen=True):
    """A logged-in person, as returned by `GET /api/v1/auth/session`."""

    user_id: str
    display_name: str
    roles: tuple[str, ...] = ()
    managed_campaign_ids: tuple[str, ...] = ()

    @property
    def sees_all(self) -> bool:
        """Whether the person may read every campaign and the organisation's figures."""
        return not _SEES_ALL.isdisjoint(self.roles)

    @property
    def scope(self) -> Scope | None:
        """The campaigns that the person may read; None for members, who have no access to the dashboards."""
        if self.sees_all:
            return Scope.ALL
        return Scope.of(self.managed_campaign_ids) if self.managed_campaign_ids else None

    @property
    def role_label(self) -> str:
        """The person's role, as shown in the sidebar."""
        if "executive" in self.roles:
            return "Executive, all campaigns"
        if "system_admin" in self.roles:
            return "Administrator, all campaigns"
        if self.sees_all:
            return "Data platform, all campaigns"
        campaigns = len(self.managed_campaign_ids)
        return f"Manager of {campaigns} campaign{'' if campaigns == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Absent:
    """The viewer is unknown: not logged in, or the API gave no usable response."""

    reason: Literal["not logged in", "no response"]


def current() -> Viewer | Absent:
    """The current viewer. The API's response is cached for 30 seconds, by the cookie's hash."""
    cookie = read_cookie()
    if not cookie:
        return Absent("not logged in")
    api_url = data.installation().addresses.internal_api_url
    return _ask(hashlib.sha256(cookie.encode()).hexdigest(), api_url, cookie)


def read_cookie() -> str | None:
    """The session cookie of the browser's connection."""
    return st.context.cookies.get(COOKIE)


def login_url() -> str:
    """URL of the API's log-in page, which redirects back to the page and the campaign that were asked for."""
    api_url = data.installation().addresses.public_api_url.rstrip("/")
    return f"{api_url}/login?next={quote(_current_url(), safe='')}"


def _current_url() -> str:
    """The address in the browser, with its parameters; the first page if the browser uses another address."""
    home = data.installation().addresses.public_dashboards_url.rstrip("/")
    shown = (read_url() or "").rstrip("/")
    page = shown if shown.startswith(f"{home}/") else home
    parameters = urlencode(st.query_params.to_dict())
    return (
        f"{page}?{parameters}"
        if parameters
        else page
        if page != home
        else data.installation().addresses.public_dashboards_url
    )


def read_url() -> str | None:
    """The address in the browser, without parameters."""
    return st.context.url


def logout_url() -> str:
    """URL of the log-out page."""
    return f"{data.installation().addresses.public_api_url.rstrip('/')}/logout"


@st.cache_data(ttl=_CACHE_S, max_entries=1_000, show_spinner=False)
def _fetch(cookie_hash: str, api_url: str, _cookie: str) -> Viewer | None:
    del cookie_hash  # part of the cache key, instead of the cookie
    with httpx2.Client(trust_env=False, timeout=_TIMEOUT_S) as client:
        response = client.get(f"{api_url}/api/v1/auth/session", headers={"Cookie": f"{COOKIE}={_cookie}"})
    if response.status_code == httpx2.codes.UNAUTHORIZED:
        return None
    response.raise_for_status()
    return Viewer.model_validate_json(response.content)


def _ask(cookie_hash: str, api_url: str, cookie: str) -> Viewer | Absent:
    try:
        viewer = _fetch(cookie_hash, api_url, cookie)
    except (httpx2.HTTPError, ValidationError):
        return Absent("no response")  # exceptions are not cached, so the next run asks again
    return viewer or Absent("not logged in")
