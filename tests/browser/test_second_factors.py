"""Log-in, second factor and passkey in a real browser, by the keyboard alone. Chromium's virtual authenticator signs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2
import psycopg
import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.factories.users import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession

    from tests.browser.conftest import Installation

pytestmark = pytest.mark.browser

TABS_MAX = 40
ACCOUNT = "/account"


class Keyboard:
    """Uses a page without a pointer."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def go_to(self, name: str) -> None:
        """Press Tab until the element with this name has the focus."""
        for _ in range(TABS_MAX):
            if self._focused() == name:
                return
            self.page.keyboard.press("Tab")
        pytest.fail(f"Tab does not reach {name!r}; it is at {self._focused()!r}")

    def type(self, name: str, text: str) -> None:
        self.go_to(name)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def press(self, name: str) -> None:
        """Press the button or follow the link with this name, and wait for the next page."""
        self.go_to(name)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def _focused(self) -> str:
        return str(
            self.page.evaluate(
                "() => { const e = document.activeElement;"
                " return (e.labels?.length ? e.labels[0] : e).textContent.trim().replace(/\\s+/g, ' ') }"
            )
        )


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def authenticator(page: Page) -> CDPSession:
    """A virtual authenticator of the browser, whose user confirms every request."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def register(installation: Installation, email: str) -> None:
    """A person who has registered and whose address counts as confirmed."""
    body = {"email": email, "display_name": "Ada Marlowe", "password": PASSWORD}
    response = httpx2.post(f"{installation.api_url}/api/v1/auth/register", json=body, trust_env=False)
    assert response.status_code == 202, response.text
    with psycopg.connect(installation.admin_url) as connection:
        connection.execute("UPDATE app.users SET email_verified_at = now() WHERE email = %s", [email])


def log_in(page: Page, url: str, email: str) -> Keyboard:
    """Fill in the log-in form of the page of one's account."""
    page.goto(url + ACCOUNT)
    keys = Keyboard(page)
    keys.type("E-mail address", email)
    keys.type("Password", PASSWORD)
    keys.press("Log in")
    return keys


def test_an_authenticator_app(page: Page, installation: Installation) -> None:
    email = "app@example.org"
    register(installation, email)
    keys = log_in(page, installation.api_url, email)
    keys.press("Add an app")
    expect(page.get_by_role("heading", name="Add an app")).to_be_visible()
    secret = page.locator("code").inner_text().replace(" ", "")
    keys.type("Code", pyotp.TOTP(secret).now())
    keys.press("Add the app")
    codes = page.locator("li code").all_inner_texts()
    assert len(codes) == 10
    keys.press("I have kept them")
    keys.press("Log out")
    keys.press("Log out")
    keys = log_in(page, installation.api_url, email)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    keys.type("Code", "000000")
    keys.press("Log in")
    expect(page.get_by_role("alert")).to_have_text(re.compile("This code is wrong"))
    keys.type("Code", codes[0])
    keys.press("Log in")
    expect(page.get_by_text("9 unused")).to_be_visible()


@pytest.mark.usefixtures("authenticator")
def test_a_passkey(page: Page, installation: Installation) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    email = "passkey@example.org"
    register(installation, email)
    keys = log_in(page, installation.api_url, email)
    keys.press("Add a passkey")
    keys.type("Name", "Virtual key")
    keys.press("Add the passkey")
    assert page.locator("li code").count() == 10
    keys.press("I have kept them")
    expect(page.locator("b", has_text="Virtual key")).to_be_visible()
    keys.press("Log out")
    keys.press("Log out")
    page.goto(installation.api_url + ACCOUNT)
    keys.press("Log in with a passkey")
    keys.press("Use a passkey")
    expect(page.get_by_role("heading", name="My account")).to_be_visible()
    keys.press("Log out")
    keys.press("Log out")
    keys = log_in(page, installation.api_url, email)
    keys.press("Use a passkey")
    expect(page.get_by_role("heading", name="My account")).to_be_visible()
    assert errors == []


def test_a_browser_whose_user_has_no_passkey_can_go_back(
    page: Page, authenticator: CDPSession, installation: Installation
) -> None:
    page.goto(installation.api_url + ACCOUNT)
    keys = Keyboard(page)
    keys.press("Log in with a passkey")
    keys.go_to("Use a passkey")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(re.compile("No passkey was used"))
    keys.press("Log in with a password")
    expect(page.get_by_label("Password")).to_be_visible()
    authenticator.detach()
