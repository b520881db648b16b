"""The dashboards in a browser, from the log-in to each page, compared with the numbers in the database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, expect

from pipelines import wording
from tests.browser.conftest import HOSTILE_TITLE, Visit
from tests.factories.clocks import GIVE_UP_AFTER_S

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

PAGES = ["Overview", "Campaign", "ROI", "Cohorts", "Coin conservation"]
ORGANISATION = "organisation"


def number(text: str) -> int:
    return int(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def table(locator: Locator) -> list[list[str]]:
    """The cells of an HTML table's body."""
    cells: list[list[str]] = locator.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return cells


def drawn(visit: Visit, selector: str) -> list[str]:
    """Texts in the page's first chart, once it is visible."""
    chart = visit.page.locator(".stPlotlyChart").first
    expect(chart.locator(selector).first).to_be_visible(timeout=GIVE_UP_AFTER_S * 1000)
    texts: list[str] = chart.locator(selector).all_text_contents()
    return texts


def figure_rows(visit: Visit, scope_id: str, period: str = "to_date") -> list[dict[str, Any]]:
    return visit.installation.rows(
        "SELECT figure, unit, definition, currency, value::float, numerator::float, denominator::float, unknown_reason "
        "FROM marts.fct_figures JOIN marts.dim_figures USING (figure) "
        "WHERE scope_id = %(scope_id)s AND period = %(period)s",
        scope_id=scope_id,
        period=period,
    )


def expect_figures(visit: Visit, rows: list[dict[str, Any]]) -> None:
    """Expect that the card of each figure shows the value in the database, and the definition."""
    assert rows
    for row in rows:
        card = visit.page.locator(f'[data-figure="{row["figure"]}"]')
        expect(card.locator(".im-definition p")).to_have_text(row["definition"])
        if row["value"] is None:
            expect(card.locator(".im-unknown").first).to_contain_text(row["unknown_reason"])
            continue
        shown = wording.percent(row["value"]) if row["unit"] in ("percent", "ratio") else f"{row['value']:,.0f}"
        reading = card.locator(f'[data-currency="{(row["currency"] or "").strip()}"]')
        expect(reading.locator(".im-value")).to_have_text(re.compile(rf"^{re.escape(shown)}( ?[A-Z]{{3}})?$"))


class TestLogIn:
    def test_no_figures_before_the_log_in(self, visit: Visit) -> None:
        visit.page.goto(visit.installation.dashboards_url)
        expect(visit.page.get_by_role("heading", name="Ideamint dashboards")).to_be_visible()
        assert visit.page.locator("[data-figure]").count() == 0
        assert visit.page.get_by_test_id("stSidebarNav").count() == 0

    def test_an_executive_gets_the_overview(self, visit: Visit) -> None:
        visit.log_in("executive")
        visit.wait_until_complete()
        expect(visit.page.get_by_role("heading", name="Overview")).to_be_visible()
        expect(visit.page.get_by_test_id("stSidebar")).to_contain_text(visit.installation.logins["executive"]["name"])

    def test_a_link_to_a_campaign_survives_the_log_in(self, visit: Visit) -> None:
        link = f"{visit.installation.dashboards_url}/campaign?campaign={visit.installation.imported_slug}"
        login = visit.installation.logins["executive"]
        visit.page.goto(link)
        expect(visit.page.get_by_text("Page not found")).to_have_count(0)
        visit.page.get_by_role("link", name="Log in").click()
        visit.page.get_by_label("E-mail address").fill(login["email"])
        visit.page.get_by_label("Password").fill(login["password"])
        visit.page.get_by_role("button", name="Log in", exact=True).click()
        visit.page.wait_for_url(link)
        visit.wait_until_complete()
        assert visit.page.title() == "Campaign \u00b7 Ideamint"

    def test_scripts_cannot_read_the_cookie(self, visit: Visit) -> None:
        visit.log_in("executive")
        visit.wait_until_complete()
        assert "ideamint_session" not in visit.page.evaluate("document.cookie")
        cookies = {cookie["name"]: cookie for cookie in visit.page.context.cookies()}
        assert cookies["ideamint_session"]["httpOnly"]

    def test_a_member_gets_no_figures(self, visit: Visit) -> None:
        visit.log_in("member")
        expect(visit.page.get_by_role("heading", name="Hello")).to_be_visible()
        assert visit.page.locator("[data-figure]").count() == 0

    def test_no_figures_after_the_log_out(self, visit: Visit) -> None:
        visit.log_in("executive")
        visit.wait_until_complete()
        visit.page.get_by_role("link", name="Log out").click()
        visit.page.get_by_role("button", name="Log out").click()
        expect(visit.page.get_by_role("button", name="Log in", exact=True)).to_be_visible()
        visit.page.goto(visit.installation.dashboards_url)
        expect(visit.page.get_by_role("heading", name="Ideamint dashboards")).to_be_visible()
        assert visit.page.locator("[data-figure]").count() == 0

    def test_a_manager_sees_only_managed_campaigns(self, visit: Visit) -> None:
        visit.log_in("manager")
        visit.wait_until_complete()
        own = visit.installation.rows(
            "SELECT c.title FROM app.campaigns c JOIN app.memberships m ON m.campaign_id = c.id "
            "JOIN app.users u ON u.id = m.user_id WHERE u.email = %(email)s AND m.role = 'manager' AND m.left_at IS NULL",
            email=visit.installation.logins["manager"]["email"],
        )
        assert own
        links = visit.page.get_by_test_id("stSidebarNav").get_by_role("link")
        assert links.all_inner_texts()
        assert "Cohorts" not in "".join(links.all_inner_texts())
        visit.open("Coin conservation")
        titles = {row[0] for row in table(visit.page.locator(".im-table"))}
        assert titles == {row["title"] for row in own}


class TestNumbers:
    """Each page shows the numbers in the database."""

    @pytest.fixture(autouse=True)
    def _logged_in(self, visit: Visit) -> None:
        visit.log_in("executive")
        visit.wait_until_complete()

    def test_overview(self, visit: Visit) -> None:
        expect_figures(visit, figure_rows(visit, ORGANISATION))

    def test_overview_shows_the_last_30_days_and_the_30_days_before(self, visit: Visit) -> None:
        now = {row["figure"]: row for row in figure_rows(visit, ORGANISATION, "last_30_days")}
        before = {row["figure"]: row for row in figure_rows(visit, ORGANISATION, "previous_30_days")}
        for figure in ("participation", "reach", "backed", "at_work"):
            recent = visit.page.locator(f'[data-figure="{figure}"] .im-recent')
            expect(recent).to_contain_text(f"Last 30 days{wording.percent(now[figure]['value'])}")
            expect(recent).to_contain_text(f"30 before{wording.percent(before[figure]['value'])}")

    def test_a_definition_opens_by_keyboard(self, visit: Visit) -> None:
        card = visit.page.locator('[data-figure="participation"]')
        expect(card.locator(".im-definition p")).to_be_hidden()
        card.locator("summary").focus()
        visit.page.keyboard.press("Enter")
        expect(card.locator(".im-definition p")).to_be_visible()

    def test_participation_counts_the_current_members(self, visit: Visit) -> None:
        """Counted in the application's tables, without dbt models."""
        (row,) = visit.installation.rows(
            """
            WITH own AS (SELECT id FROM app.campaigns WHERE origin = 'native' AND status <> 'draft'),
            present AS (SELECT DISTINCT user_id FROM app.memberships
                        WHERE campaign_id IN (TABLE own) AND left_at IS NULL)
            SELECT count(*) AS members FROM present
            """
        )
        parts = visit.page.locator('[data-figure="participation"] .im-parts').inner_text()
        found = re.match(r"([\d,]+) of ([\d,]+)", parts)
        assert found
        assert number(found[2]) == row["members"]

    def test_a_campaigns_figures(self, visit: Visit) -> None:
        (campaign,) = visit.installation.rows("SELECT id::text, title FROM app.campaigns WHERE slug = 'waste-less'")
        visit.choose_campaign(campaign["title"])
        expect(visit.page.get_by_role("heading", name=campaign["title"])).to_be_visible()
        expect_figures(visit, figure_rows(visit, campaign["id"]))

    def test_campaign(self, visit: Visit) -> None:
        visit.open("Campaign")
        (campaign,) = visit.installation.rows("SELECT id, title FROM app.campaigns WHERE slug = 'next-range'")
        visit.choose_campaign(campaign["title"])
        stakes = visit.installation.rows(
            "SELECT i.title, sum(a.balance_coins)::bigint AS coins FROM app.coin_accounts a "
            "JOIN app.ideas i ON i.id = a.idea_id WHERE a.kind = 'stake' AND a.campaign_id = %(id)s "
            "GROUP BY i.id HAVING sum(a.balance_coins) > 0 ORDER BY coins DESC",
            id=campaign["id"],
        )
        assert len(stakes) > 15
        labels = drawn(visit, ".bartext")
        assert sorted(map(number, labels), reverse=True) == [row["coins"] for row in stakes[:15]]
        facts = dict(
            zip(
                visit.page.locator(".im-facts dt").all_inner_texts(),
                visit.page.locator(".im-facts dd").all_inner_texts(),
                strict=True,
            )
        )
        (members,) = visit.installation.rows(
            "SELECT count(*) FROM app.memberships WHERE campaign_id = %(id)s AND left_at IS NULL", id=campaign["id"]
        )
        assert number(facts["Members"]) == members["count"]

    def test_an_imported_election_has_the_scores_of_the_file_and_marks_missing_data(self, visit: Visit) -> None:
        visit.open("Campaign")
        visit.page.get_by_test_id("stSidebar").get_by_text("Imported elections too").click()
        visit.wait_until_complete()
        (campaign,) = visit.installation.rows(
            "SELECT title FROM app.campaigns WHERE slug = %(slug)s", slug=visit.installation.imported_slug
        )
        visit.choose_campaign(f"{campaign['title']} (imported)")
        labels = drawn(visit, ".bartext")
        assert sorted(map(number, labels), reverse=True) == [12, 9, 3]  # the file's scores
        expect(visit.page.locator(".im-notice").first).to_contain_text("Not in the file")
        visit.page.goto(f"{visit.installation.dashboards_url}/?campaign={visit.installation.imported_slug}")
        visit.wait_until_complete()
        expect(visit.page.locator('[data-figure="participation"] .im-unknown')).to_have_text("not in the file")

    def test_roi(self, visit: Visit) -> None:
        visit.open("ROI")
        rows = [row for row in figure_rows(visit, ORGANISATION) if row["figure"] in ("roi", "delivery")]
        for row in rows:
            reading = visit.page.locator(f'[data-figure="{row["figure"]}"] [data-currency="{row["currency"]}"]')
            expect(reading.locator(".im-value")).to_contain_text(wording.percent(row["value"]))
        realised = visit.installation.rows(
            "SELECT i.title, r.currency, r.realised_cost, r.realised_value FROM marts.fct_idea_roi r "
            "JOIN app.ideas i ON i.id = r.idea_id JOIN app.campaigns c ON c.id = i.campaign_id "
            "WHERE r.currency IS NOT NULL AND c.origin = 'native' ORDER BY r.currency"
        )
        shown = {row[0]: row for part in visit.page.locator(".im-table").all() for row in table(part)}
        assert shown.keys() == {row["title"] for row in realised}
        for row in realised:
            for place, amount in ((4, row["realised_cost"]), (6, row["realised_value"])):
                assert shown[row["title"]][place] == wording.amount(amount, row["currency"])

    def test_cohorts(self, visit: Visit) -> None:
        visit.open("Cohorts")
        cohorts = visit.installation.rows(
            "SELECT retention::float FROM marts.fct_member_cohorts WHERE members >= 5 AND NOT active_members BETWEEN 1 AND 4"
        )
        shown = sorted(text for text in drawn(visit, ".heatmap-label") if text.endswith("%"))
        assert shown == sorted(f"{row['retention']:.0%}" for row in cohorts)
        assert shown

    def test_conservation_equals_the_ledger(self, visit: Visit) -> None:
        """Summed from the postings, without dbt models."""
        visit.open("Coin conservation")
        rows = visit.installation.rows(
            """
            SELECT c.title, -sum(p.amount_coins) FILTER (WHERE a.kind = 'mint') AS issued,
                coalesce(sum(p.amount_coins) FILTER (WHERE a.kind = 'wallet'), 0) AS wallets,
                coalesce(sum(p.amount_coins) FILTER (WHERE a.kind = 'stake'), 0) AS staked,
                coalesce(sum(p.amount_coins) FILTER (WHERE a.kind = 'expired'), 0) AS expired
            FROM app.coin_postings p JOIN app.coin_accounts a ON a.id = p.account_id
            JOIN app.campaigns c ON c.id = a.campaign_id GROUP BY c.id
            """
        )
        shown = {row[0]: row for row in table(visit.page.locator(".im-table"))}
        assert shown.keys() == {row["title"] for row in rows}
        for row in rows:
            cells = [number(cell) for cell in shown[row["title"]][1:]]
            assert (cells[0], cells[2], cells[4], cells[5]) == (
                row["issued"], row["wallets"], row["staked"], row["expired"],
            )  # fmt: skip
            assert cells[7] == 0
        expect(visit.page.locator(".im-statement")).to_contain_text(f"in all {len(rows)} campaigns")
        expect(visit.page.locator(".im-statement")).to_have_class(re.compile("im-good"))


class TestLook:
    def test_every_page_fits_in_light_and_dark(self, browser: Browser, visit: Visit, scheme: str) -> None:
        """No page is wider than the screen, and the overview fits on one screen."""
        visit.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        visit.log_in("executive")
        visit.wait_until_complete()
        background = visit.page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (scheme == "dark")
        for name in PAGES:
            visit.open(name)
            expect(visit.page.locator(".im-age")).to_contain_text("Data as of")
            width = visit.page.evaluate(
                "(() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth })()"
            )
            assert width <= 0, name
            assert visit.page.get_by_test_id("stException").count() == 0
            assert visit.page.get_by_text("Deploy", exact=True).count() == 0
        visit.open("Overview")
        height = visit.page.evaluate(
            "(() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollHeight - m.clientHeight })()"
        )
        assert height <= 0

    def test_titles_are_escaped_on_every_page(self, visit: Visit) -> None:
        visit.log_in("executive")
        visit.wait_until_complete()
        visit.page.get_by_test_id("stSidebar").get_by_text("Imported elections too").click()
        visit.wait_until_complete()
        (campaign,) = visit.installation.rows(
            "SELECT title FROM app.campaigns WHERE slug = %(slug)s", slug=visit.installation.hostile_slug
        )
        visit.choose_campaign(f"{campaign['title']} (imported)")
        for name in PAGES:
            visit.open(name)
            assert visit.page.locator('a[href*="evil"], a[*|href*="evil"], img[src="x"]').count() == 0
            assert visit.page.locator(".stApp b", has_text=re.compile("^bold$")).count() == 0
        visit.page.goto(f"{visit.installation.dashboards_url}/campaign?campaign={visit.installation.hostile_slug}")
        visit.wait_until_complete()
        labels = " ".join(drawn(visit, ".ytick"))
        assert HOSTILE_TITLE[:30] in labels.replace("\N{ZERO WIDTH SPACE}", "")
        assert "工具 أدوات" in labels
