"""Dagster's page answers people with access, from its own origin, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text

from orchestration.web.guard import Guard
from orchestration.web.viewers import Viewers
from tests.factories.containers import parts
from tests.orchestration.web.conftest import LOG_IN, ORIGIN

if TYPE_CHECKING:
    from starlette.types import Message

    from tests.orchestration.web.conftest import Page, Person

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

VERSION = "{ version }"
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename }
}
"""
PARAMS = {
    "selector": {
        "repositoryLocationName": "ideamint", "repositoryName": "__repository__", "jobName": "everything",
    },
    "mode": "default",
    "runConfigData": {},
}  # fmt: skip
COMMANDS = text("SELECT actor_id, data FROM app.events WHERE kind = 'data_command_sent' AND actor_id = :actor_id")


async def commands_of(page: Page, person: Person) -> list[Any]:
    async with parts(page.api).database.session() as session:
        return [row.data for row in await session.execute(COMMANDS, {"actor_id": person.user_id})]


class TestHost:
    @pytest.mark.parametrize("host", ["evil.example", "dagster.example", "dagster.example:3001", ""])
    async def test_of_another_name_is_refused(self, page: Page, host: str) -> None:
        person = await page.person("system_admin")

        for method, path in (("GET", "/"), ("POST", "/graphql"), ("GET", "/server_info")):
            response = await page.request(method, path, headers={**person.headers, "Host": host})
            assert response.status_code == 421, (method, path)

    async def test_may_have_the_default_port_of_the_scheme(self, page: Page) -> None:
        async def served(_: Any, __: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        person = await page.person("system_admin")
        viewers = Viewers("http://testserver", AsyncClient(transport=ASGITransport(app=page.api)))
        guard = Guard(served, viewers, public_url="https://dagster.example", log_in_url=LOG_IN)
        async with AsyncClient(transport=ASGITransport(app=guard), base_url="https://dagster.example") as client:
            for host in ("dagster.example", "Dagster.Example:443"):
                headers = {"Cookie": person.headers["Cookie"], "Origin": "https://dagster.example", "Host": host}
                assert (await client.get("/", headers=headers)).status_code == 200
        await viewers.close()


class TestOrigin:
    @pytest.mark.parametrize("origin", ["https://evil.example", "http://dagster.example:8000", "null", None])
    async def test_of_another_site_cannot_send_graphql(self, page: Page, origin: str | None) -> None:
        person = await page.person("data_engineer")
        headers = {"Cookie": person.headers["Cookie"]} | ({"Origin": origin} if origin else {})

        response = await page.request("POST", "/graphql", json={"query": VERSION}, headers=headers)

        assert response.status_code == 403
        assert await commands_of(page, person) == []

    async def test_of_another_site_is_not_served_data(self, page: Page) -> None:
        person = await page.person("data_engineer")
        response = await page.request("GET", "/server_info", headers={**person.headers, "Origin": "http://x.example"})

        assert response.status_code == 403


class TestGraphql:
    async def test_is_not_served_by_get(self, page: Page) -> None:
        person = await page.person("data_engineer")
        response = await page.request("GET", "/graphql", params={"query": LAUNCH}, headers=person.headers)

        assert response.status_code == 405
        assert response.headers["allow"] == "POST"

    @pytest.mark.parametrize(
        "media_type",
        ["text/plain", "application/x-www-form-urlencoded", "application/graphql", "multipart/form-data", ""],
    )
    async def test_is_not_served_as_a_form(self, page: Page, media_type: str) -> None:
        person = await page.person("data_engineer")
        headers = {**person.headers, "Content-Type": media_type}
        response = await page.request("POST", f"/graphql?query={VERSION}", content=b"{}", headers=headers)

        assert response.status_code == 415

    async def test_is_served_to_everyone_with_access(self, page: Page) -> None:
        for role in ("system_admin", "data_engineer", "data_viewer"):
            response = await page.graphql(await page.person(role), VERSION)
            assert response.status_code == 200, role
            assert "errors" not in response.json()

    @pytest.mark.parametrize("role", ["system_admin", "data_engineer"])
    async def test_a_launch_is_an_event_with_its_person(self, page: Page, role: str) -> None:
        person = await page.person(role)
        response = await page.graphql(person, LAUNCH, params=PARAMS)

        # The job is not in this workspace: Dagster has looked for it, so the person may launch.
        assert response.json()["data"]["launchRun"]["__typename"] == "PipelineNotFoundError"
        assert await commands_of(page, person) == [{"commands": ["launchRun"], "jobs": ["everything"]}]

    async def test_a_viewer_changes_nothing(self, page: Page) -> None:
        person = await page.person("data_viewer")
        for query, variables in ((LAUNCH, {"params": PARAMS}), ("mutation { reloadWorkspace { __typename } }", {})):
            response = await page.graphql(person, query, **variables)
            assert response.status_code == 403
            assert response.json()["data"] is None
        assert await commands_of(page, person) == []

    async def test_a_viewer_has_a_context_for_reading(self, page: Page) -> None:
        query = "{ permissions { permission value } }"
        viewer = await page.graphql(await page.person("data_viewer"), query)
        engineer = await page.graphql(await page.person("data_engineer"), query)

        assert {each["value"] for each in viewer.json()["data"]["permissions"]} == {False}
        assert True in {each["value"] for each in engineer.json()["data"]["permissions"]}


class TestPerson:
    async def test_without_a_session_is_sent_to_the_log_in_and_back(self, page: Page) -> None:
        response = await page.request("GET", "/runs%20x?view=all", headers={"Accept": "text/html"})

        assert response.status_code == 303
        target = urlsplit(response.headers["location"])
        assert f"{target.scheme}://{target.netloc}{target.path}" == LOG_IN
        assert parse_qs(target.query) == {"next": [f"{ORIGIN}/runs%20x?view=all"]}
        assert (await page.request("GET", "/server_info")).status_code == 401

    @pytest.mark.parametrize("roles", [(), ("executive",)])
    async def test_without_a_role_of_the_platform_is_refused(self, page: Page, roles: tuple[str, ...]) -> None:
        person = await page.person(*roles)

        assert (await page.request("GET", "/", headers=person.headers)).status_code == 403
        assert (await page.graphql(person, VERSION)).status_code == 403

    async def test_with_access_is_served_the_page(self, page: Page) -> None:
        response = await page.request("GET", "/runs", headers=(await page.person("data_viewer")).headers)

        assert response.status_code == 200
        assert response.headers["x-frame-options"] == "DENY"
        assert "<html" in response.text

    async def test_downloads_logs_only_as_an_engineer(self, page: Page) -> None:
        for path in ("/logs/a/b.out", "/download_debug/x"):
            viewer = await page.request("GET", path, headers=(await page.person("data_viewer")).headers)
            assert viewer.status_code == 403
        engineer = await page.request("GET", "/logs/a/b.out", headers=(await page.person("data_engineer")).headers)
        assert engineer.status_code == 404

    async def test_is_unknown_while_the_api_does_not_answer(self, page: Page) -> None:
        person = await page.person("system_admin")

        async def unreachable(*_: Any) -> None:
            raise AssertionError

        away = AsyncClient(trust_env=False, timeout=1)
        guard = Guard(unreachable, Viewers("http://127.0.0.1:1", away), public_url=ORIGIN, log_in_url=LOG_IN)
        async with away, AsyncClient(transport=ASGITransport(app=guard), base_url=ORIGIN) as client:
            assert (await client.get("/", headers=person.headers)).status_code == 503


class TestClosedRoutes:
    @pytest.mark.parametrize(
        "path",
        [
            "/report_asset_materialization/x",
            "/report_asset_check/x",
            "/report_asset_observation/x",
            "//report_asset_check/x",
        ],
    )
    async def test_assets_cannot_be_reported(self, page: Page, path: str) -> None:
        person = await page.person("system_admin")
        response = await page.request("POST", path, json={}, headers=person.headers)

        assert response.status_code == 405


class TestHealth:
    async def test_needs_no_session(self, page: Page) -> None:
        response = await page.request("GET", "/health/live", headers={"Host": "127.0.0.1"})

        assert (response.status_code, response.text) == (200, "ok")


class TestWebsocket:
    async def handshake(self, page: Page, headers: dict[str, str]) -> Message:
        """The first message that a server sends after a handshake with these headers."""
        scope = {
            "type": "websocket", "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "root_path": "",
            "scheme": "ws", "server": ("dagster.example", 3000), "client": ("127.0.0.1", 1), "subprotocols": ["graphql-ws"],
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        received: list[Message] = [{"type": "websocket.connect"}]
        sent: list[Message] = []

        async def receive() -> Message:
            return received.pop(0) if received else {"type": "websocket.disconnect", "code": 1000}

        async def send(message: Message) -> None:
            sent.append(message)

        await page.app(scope, receive, send)
        return sent[0]

    async def test_is_accepted_from_the_page_itself(self, page: Page) -> None:
        person = await page.person("data_viewer")
        first = await self.handshake(page, {**person.headers, "Host": "dagster.example:3000"})

        assert first["type"] == "websocket.accept"

    @pytest.mark.parametrize(
        "changes",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "http://dagster.example:8000"},
            {"Host": "evil.example"},
            {"Cookie": "ideamint_session=unknown"},
        ],
    )
    async def test_is_refused_to_others(self, page: Page, changes: dict[str, str]) -> None:
        person = await page.person("system_admin")
        first = await self.handshake(page, {**person.headers, "Host": "dagster.example:3000", **changes})

        assert first == {"type": "websocket.close", "code": 1008}

    async def test_is_refused_without_a_role_of_the_platform(self, page: Page) -> None:
        person = await page.person("executive")
        first = await self.handshake(page, {**person.headers, "Host": "dagster.example:3000"})

        assert first["type"] == "websocket.close"
