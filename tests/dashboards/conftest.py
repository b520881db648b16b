from __future__ import annotations

import json
import shutil
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner

import settings as configuration
from dashboards import data, session
from tests.factories.marts import write_snapshot
from tests.factories.marts_world import campaign_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from settings import Settings


@pytest.fixture(autouse=True, scope="session")
def _no_components() -> Iterator[None]:
    """Each page under test looks for components of Streamlit in every installed package; there are none, and it takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", list)
        yield


@dataclass
class SessionServer:
    """A small server that responds to `GET /api/v1/auth/session` like the API."""

    people: dict[str, dict[str, Any]]
    cookies: list[str] = field(default_factory=list)
    override: tuple[int, bytes] | None = None
    url: str = ""


@pytest.fixture
def people() -> dict[str, dict[str, Any]]:
    """The response for each cookie."""

    def person(name: str, *roles: str, manages: tuple[str, ...] = ()) -> dict[str, Any]:
        ids = [campaign_id(slug) for slug in manages]
        return {"user_id": name, "display_name": name.title(), "roles": list(roles), "managed_campaign_ids": ids}

    return {
        "cookie-of-executive": person("executive", "executive"),
        "cookie-of-admin": person("admin", "system_admin"),
        "cookie-of-manager": person("manager", manages=("greener-offices", "lodz-2020")),
        "cookie-of-other-manager": person("other manager", manages=("faster-deliveries",)),
        "cookie-of-member": person("<b>mia</b>"),
    }


@pytest.fixture
def api(people: dict[str, dict[str, Any]]) -> Iterator[SessionServer]:
    server = SessionServer(people)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cookie = self.headers.get("Cookie", "").removeprefix("ideamint_session=")
            server.cookies.append(cookie)
            person = server.people.get(cookie)
            status, body = server.override or (200 if person else 401, json.dumps(person or {}).encode())
            if self.path != "/api/v1/auth/session":
                status = 404
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        listening.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshot")
    write_snapshot(folder)
    return folder


@pytest.fixture
def data_dir(written_once: Path, tmp_path: Path) -> Path:
    """A separate data folder with the small snapshot published."""
    return shutil.copytree(written_once, tmp_path / "data", symlinks=True)


@pytest.fixture
def installation(api: SessionServer, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of dashboards that use the small snapshot and the small server."""
    settings = configuration.load(env_file=None, env="test", data_dir=data_dir, api_url=api.url)
    monkeypatch.setattr(data, "installation", lambda: settings)
    st.cache_data.clear()
    return settings


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Set the cookie of the browser, or none, since a script under test has no browser."""

    def with_cookie(cookie: str | None) -> None:
        monkeypatch.setattr(session, "read_cookie", lambda: cookie)

    with_cookie(None)
    return with_cookie
