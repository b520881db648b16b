"""A complete installation, created and served by `ideamint`, and a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from psycopg.rows import dict_row

from cli.local.ports import free_port
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.shells import measuring

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ELECTIONS = ROOT / "tests" / "imports" / "elections"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Opened at the address of a page, Streamlit first looks for its server below that address.
BASE_PATH_SEARCH = re.compile(r"/[a-z-]+/_stcore/(health|host-config)$")
HOSTILE_TITLE = '=1+1 <b>bold</b> <a href="https://evil.example">click</a> [link](https://evil.example) %{x}'


expect.set_options(timeout=GIVE_UP_AFTER_S * 1000)  # the first page after the start imports all modules


@dataclass(frozen=True)
class Installation:
    """A running installation with the demo and two imported elections, published."""

    data_dir: Path
    api_url: str
    dashboards_url: str
    dagster_url: str
    admin_url: str
    logins: dict[str, dict[str, str]]
    imported_slug: str
    hostile_slug: str

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of a query on the database."""
        with psycopg.connect(self.admin_url, row_factory=dict_row) as connection:
            return connection.execute(query, parameters).fetchall()


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    data_dir = Path(tempfile.mkdtemp(prefix="ideamint-browser-"))
    data_dir.chmod(0o711)  # PostgreSQL does not run as root
    api_port, dashboards_port, dagster_port = free_port(), free_port(), free_port()
    environment = measuring() | {
        "PATH": os.environ["PATH"],
        "HOME": str(data_dir),
        "PYTHONPATH": str(ROOT),
        "IDEAMINT_ENV": "test",
        "IDEAMINT_LOG_INS_PER_ADDRESS": "off",
        "IDEAMINT_DATA_DIR": str(data_dir / "data"),
        "IDEAMINT_API_PORT": str(api_port),
        "IDEAMINT_DASHBOARDS_PORT": str(dashboards_port),
        "IDEAMINT_DAGSTER_PORT": str(dagster_port),
        "IDEAMINT_PUBLIC_API_URL": f"http://localhost:{api_port}",
        "IDEAMINT_PUBLIC_DASHBOARDS_URL": f"http://localhost:{dashboards_port}",
    }

    def ideamint(*arguments: str) -> str:
        command = [sys.executable, "-m", "cli.main", *arguments]
        done = subprocess.run(
            command, env=environment, cwd=data_dir, capture_output=True, text=True, check=False, timeout=GIVE_UP_AFTER_S
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    hostile = data_dir / "hostile.pb"
    hostile.write_text(_hostile_election(), encoding="utf-8")
    try:
        ideamint("db", "start")
        ideamint("db", "migrate")
        demo = json.loads(ideamint("demo", "--json"))
        slugs = [
            json.loads(ideamint("import", "pabulib", str(file), "--json"))["imported"][0]["slug"]
            for file in (ELECTIONS / "cumulative.pb", hostile)
        ]
        ideamint("refresh", "--json")
        with _up(environment, data_dir / "up.log", api_port, dashboards_port, dagster_port):
            yield Installation(
                data_dir=data_dir,
                api_url=environment["IDEAMINT_PUBLIC_API_URL"],
                dashboards_url=environment["IDEAMINT_PUBLIC_DASHBOARDS_URL"],
                dagster_url=f"http://localhost:{dagster_port}",
                admin_url=ideamint("db", "url").strip(),
                logins={login["role"]: login for login in reversed(demo["logins"])},
                imported_slug=slugs[0],
                hostile_slug=slugs[1],
            )
    finally:
        with contextlib.suppress(AssertionError):
            ideamint("db", "stop")
        shutil.rmtree(data_dir, ignore_errors=True)


@contextlib.contextmanager
def _up(
    environment: dict[str, str], log: Path, api_port: int, dashboards_port: int, dagster_port: int
) -> Iterator[None]:
    """Serve the API, the dashboards and Dagster's page with `ideamint up` until the block ends."""
    parts = ("--only", "api", "--only", "dashboards", "--only", "dagster")
    command = [sys.executable, "-m", "cli.main", "up", *parts]
    with (
        log.open("w") as output,
        subprocess.Popen(command, env=environment, cwd=log.parent, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            _wait_for(process, log, f"http://127.0.0.1:{api_port}/health/ready")
            _wait_for(process, log, f"http://127.0.0.1:{dashboards_port}/_stcore/health")
            _wait_for(process, log, f"http://127.0.0.1:{dagster_port}/health/live")
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=GIVE_UP_AFTER_S)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("these tests need chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page of the browser, and the errors in it."""

    installation: Installation
    page: Page
    errors: list[str] = field(default_factory=list)

    def log_in(self, role: str) -> None:
        """Log in: from the dashboards to the API's form, and back."""
        login = self.installation.logins[role]
        self.page.goto(self.installation.dashboards_url)
        self.page.get_by_role("link", name="Log in").click()
        self.page.get_by_label("E-mail address").fill(login["email"])
        self.page.get_by_label("Password").fill(login["password"])
        self.page.get_by_role("button", name="Log in", exact=True).click()
        self.page.wait_for_url(f"{self.installation.dashboards_url}/**")

    def open(self, name: str) -> None:
        """Open a page by its name in the sidebar, and wait until it is complete."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
        self.wait_until_complete()

    def choose_campaign(self, title: str) -> None:
        """Select a campaign in the sidebar."""
        self.page.get_by_test_id("stSidebar").get_by_role("combobox").click()
        self.page.get_by_role("option", name=title, exact=True).click()
        self.wait_until_complete()

    def wait_until_complete(self) -> None:
        """Wait until the script has ended and the page does not change any more."""
        self.page.wait_for_timeout(400)
        self.page.wait_for_selector(".stApp[data-test-script-state=notRunning]", timeout=GIVE_UP_AFTER_S * 1000)
        self.page.wait_for_selector(".im-heading", timeout=GIVE_UP_AFTER_S * 1000)
        self.page.wait_for_function("!document.querySelector('[data-stale=true]')", timeout=GIVE_UP_AFTER_S * 1000)
        self.page.wait_for_timeout(600)

    def watch(self) -> None:
        """Record requests to other hosts, server errors, and errors of the console and of scripts."""
        self.page.on(
            "console",
            lambda message: self._record(
                message.type == "error" and not BASE_PATH_SEARCH.search(message.location["url"]),
                f"console: {message.text} {message.location['url']}",
            ),
        )
        self.page.on("pageerror", lambda error: self._record(True, f"error: {error}"))
        self.page.on("request", lambda request: self._record(_is_other_host(request.url), f"request to {request.url}"))
        self.page.on(
            "response", lambda response: self._record(response.status >= 500, f"{response.status} from {response.url}")
        )

    def _record(self, is_error: bool, text: str) -> None:  # noqa: FBT001 - called above only
        if is_error:
            self.errors.append(text)


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light", locale="en-GB")
    yield context
    context.close()


@pytest.fixture
def visit(installation: Installation, context: BrowserContext) -> Iterator[Visit]:
    """A page in a new browser context; any error in it fails the test."""
    visit = Visit(installation, context.new_page())
    visit.watch()
    yield visit
    assert visit.errors == []


def _is_other_host(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in {"localhost", "127.0.0.1"}


def _wait_for(process: subprocess.Popen[bytes], log: Path, url: str) -> None:
    until = time.monotonic() + GIVE_UP_AFTER_S
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(url, trust_env=False).status_code == httpx2.codes.OK:
                return
        time.sleep(0.3)
    pytest.fail(f"{url} does not respond: {log.read_text()}")


def _hostile_election() -> str:
    """An election whose titles contain markup, a formula and a link."""
    title = HOSTILE_TITLE.replace('"', '""')
    return (
        "META\nkey;value\ndescription;<img src=x onerror=alert(1)> [Valmont](https://evil.example)\ncountry;France\n"
        "unit;Hostile\ninstance;2023\nnum_projects;2\nnum_votes;6\nbudget;50000\nvote_type;cumulative\nrule;greedy\n"
        "date_begin;2023-05-02\ndate_end;2023-05-15\nmin_sum_points;1\nmax_points;5\nmax_sum_points;7\n"
        f'PROJECTS\nproject_id;cost;votes;score;name\n1;20000;6;18;"{title}"\n2;10000;6;6;工具 أدوات\n'
        "VOTES\nvoter_id;vote;points;sex\n" + "".join(f"{voter};1,2;3,1;F\n" for voter in range(6))
    )
