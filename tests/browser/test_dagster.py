"""Dagster's page in a real browser: the log-in leads to it, and a page of another origin cannot command it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

    from tests.browser.conftest import Installation

pytestmark = pytest.mark.browser

MUTATION = "mutation { reloadWorkspace { __typename } }"
# What a page of another origin can send with the cookies of the person. localhost is one site for all its ports, so the
# cookie of the log-in goes with each of them.
ATTACKS = """async ([url, mutation]) => {
    const outcomes = {};
    const post = async (name, options) => {
        try {
            const response = await fetch(`${url}/graphql`, {method: "POST", credentials: "include", ...options});
            outcomes[name] = response.type === "opaque" ? "opaque" : response.status;
        } catch (error) { outcomes[name] = "blocked"; }
    };
    const body = JSON.stringify({query: mutation});
    await post("text", {mode: "no-cors", headers: {"Content-Type": "text/plain"}, body});
    await post("json", {headers: {"Content-Type": "application/json"}, body});
    const query = new URLSearchParams({query: mutation});
    await fetch(`${url}/graphql?${query}`, {mode: "no-cors", credentials: "include"}).catch(() => null);
    await fetch(`${url}/report_asset_materialization/x`, {method: "POST", mode: "no-cors", credentials: "include"})
        .catch(() => null);
    outcomes.socket = await new Promise(resolve => {
        const socket = new WebSocket(`${url.replace("http", "ws")}/graphql`, "graphql-ws");
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("refused");
    });
    outcomes.frame = await new Promise(resolve => {
        const form = document.createElement("form");
        form.method = "POST"; form.action = `${url}/graphql`; form.target = "frame";
        const field = document.createElement("input");
        field.name = "query"; field.value = mutation; form.append(field);
        const frame = document.createElement("iframe");
        frame.name = "frame"; frame.onload = () => resolve("loaded");
        document.body.append(frame, form); form.submit();
        setTimeout(() => resolve("nothing"), 5000);
    });
    return outcomes;
}"""


class OtherPage(BaseHTTPRequestHandler):
    """A page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another page</title><body>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def other_origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), OtherPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


def commands(installation: Installation) -> int:
    (row,) = installation.rows("SELECT count(*) AS commands FROM app.events WHERE kind = 'data_command_sent'")
    return int(row["commands"])


def log_in(page: Page, installation: Installation, role: str) -> None:
    """From Dagster's page to the API's form, and back."""
    login = installation.logins[role]
    page.goto(f"{installation.dagster_url}/runs")
    page.get_by_label("E-mail address").fill(login["email"])
    page.get_by_label("Password").fill(login["password"])
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"{installation.dagster_url}/runs**")


def test_the_log_in_leads_to_the_page_that_was_asked_for(installation: Installation, context: BrowserContext) -> None:
    page = context.new_page()
    log_in(page, installation, "data engineer")

    expect(page.get_by_text("Runs", exact=True).first).to_be_visible()


def test_a_person_without_a_role_of_the_platform_is_refused(
    installation: Installation, context: BrowserContext
) -> None:
    page = context.new_page()
    log_in(page, installation, "member")

    expect(page.get_by_text("may open this page")).to_be_visible()


def test_a_page_of_another_origin_cannot_command_it(installation: Installation, context: BrowserContext) -> None:
    page = context.new_page()
    log_in(page, installation, "data engineer")
    before = commands(installation)
    other = context.new_page()
    with other_origin() as url:
        other.goto(url)
        outcomes = other.evaluate(ATTACKS, [installation.dagster_url, MUTATION])

    assert outcomes["json"] == "blocked"
    assert outcomes["socket"] == "refused"
    assert commands(installation) == before
    # The same mutation from the page itself is carried out and recorded.
    status = page.evaluate(
        """async mutation => (await fetch("/graphql", {
            method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({query: mutation}),
        })).status""",
        MUTATION,
    )
    assert status == 200
    assert commands(installation) == before + 1
