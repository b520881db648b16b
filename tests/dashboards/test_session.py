from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboards import session
from dashboards.session import Absent, Viewer
from pipelines.marts import Scope
from tests.factories.marts_world import campaign_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from settings import Settings
    from tests.dashboards.conftest import SessionServer


@pytest.mark.usefixtures("installation")
class TestCurrent:
    def test_without_a_cookie_the_api_is_not_called(
        self, api: SessionServer, log_in: Callable[[str | None], None]
    ) -> None:
        log_in(None)
        assert session.current() == Absent("not logged in")
        assert api.cookies == []

    def test_an_unknown_cookie_is_not_logged_in(self, log_in: Callable[[str | None], None]) -> None:
        log_in("ended")
        assert session.current() == Absent("not logged in")

    @pytest.mark.parametrize("cookie", ["cookie-of-executive", "cookie-of-admin"])
    def test_executives_and_administrators_see_all(self, log_in: Callable[[str | None], None], cookie: str) -> None:
        log_in(cookie)
        viewer = session.current()
        assert isinstance(viewer, Viewer)
        assert viewer.scope == Scope.ALL

    def test_a_manager_sees_managed_campaigns(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-manager")
        viewer = session.current()
        assert isinstance(viewer, Viewer)
        assert viewer.scope == Scope.of([campaign_id("greener-offices"), campaign_id("lodz-2020")])

    def test_a_member_sees_nothing(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-member")
        viewer = session.current()
        assert isinstance(viewer, Viewer)
        assert viewer.scope is None

    def test_a_response_is_cached_by_cookie(self, api: SessionServer, log_in: Callable[[str | None], None]) -> None:
        for cookie in ("cookie-of-executive", "cookie-of-member", "cookie-of-executive", "cookie-of-member"):
            log_in(cookie)
            viewer = session.current()
            assert isinstance(viewer, Viewer)
            assert viewer.user_id == api.people[cookie]["user_id"]
        assert api.cookies == ["cookie-of-executive", "cookie-of-member"]

    @pytest.mark.parametrize(
        "response", [(500, b"{}"), (503, b""), (404, b"{}"), (200, b"<html>"), (200, b"{}"), (302, b"")]
    )
    def test_an_unusable_response_gives_no_access_and_is_not_cached(
        self, api: SessionServer, log_in: Callable[[str | None], None], response: tuple[int, bytes]
    ) -> None:
        log_in("cookie-of-executive")
        api.override = response
        assert session.current() == Absent("no response")
        api.override = None
        assert isinstance(session.current(), Viewer)

    def test_no_access_if_the_api_is_unreachable(
        self, installation: Settings, monkeypatch: pytest.MonkeyPatch, log_in: Callable[[str | None], None]
    ) -> None:
        unreachable = installation.with_(api_url="http://127.0.0.1:1")
        monkeypatch.setattr("dashboards.session.data.installation", lambda: unreachable)
        log_in("cookie-of-executive")
        assert session.current() == Absent("no response")


def test_another_address_is_not_followed(installation: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "read_url", lambda: "http://other.example/campaign")
    assert parse_qs(urlsplit(session.login_url()).query) == {"next": [installation.addresses.public_dashboards_url]}


def test_the_log_in_page_redirects_to_the_dashboards(installation: Settings) -> None:
    parts = urlsplit(session.login_url())
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{installation.addresses.public_api_url}/login"
    assert parse_qs(parts.query) == {"next": [installation.addresses.public_dashboards_url]}


@pytest.mark.parametrize(
    ("roles", "campaigns", "label"),
    [
        (("executive",), (), "Executive, all campaigns"),
        (("system_admin", "executive"), ("a",), "Executive, all campaigns"),
        (("system_admin",), (), "Administrator, all campaigns"),
        (("data_engineer",), (), "Data platform, all campaigns"),
        (("data_viewer",), ("a",), "Data platform, all campaigns"),
        ((), ("a",), "Manager of 1 campaign"),
        ((), ("a", "b"), "Manager of 2 campaigns"),
    ],
)
def test_the_role_label_names_the_scope(roles: tuple[str, ...], campaigns: tuple[str, ...], label: str) -> None:
    viewer = Viewer(user_id="u", display_name="n", roles=roles, managed_campaign_ids=campaigns)
    assert viewer.role_label == label
