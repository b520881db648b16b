from __future__ import annotations

import json
import re
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import session
from pipelines import exports, marts, wording
from pipelines.marts import Scope
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.marts import write_snapshot
from tests.factories.marts_world import HOSTILE_TITLE, campaign_id, rows, suppressed

if TYPE_CHECKING:
    from collections.abc import Callable

    from settings import Settings
    from tests.dashboards.conftest import SessionServer

APP = Path(__file__).parents[2] / "dashboards" / "app.py"
TITLES = {row["slug"]: row["title"] for row in rows()["dim_campaigns"]}

pytestmark = pytest.mark.usefixtures("installation")


def visit(**query: str) -> AppTest:
    """Open the first page of the dashboards."""
    at = AppTest.from_file(APP, default_timeout=GIVE_UP_AFTER_S)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def page(name: str, data_dir: Path, scope: Scope, **query: str) -> AppTest:
    """Open one page as a logged-in viewer with that scope."""

    def script(name, data_dir, scope):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - runs from its source
        from importlib import import_module

        from dashboards.data import View
        from pipelines import marts

        import_module(f"dashboards.app_pages.{name}").render(View(marts.published(data_dir), scope))

    at = AppTest.from_function(
        script, kwargs={"name": name, "data_dir": data_dir, "scope": scope}, default_timeout=GIVE_UP_AFTER_S
    )
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception
    return at


def text(at: AppTest) -> str:
    """All HTML on the page except the style sheet."""
    bodies = (element.proto.body for element in at.get("html"))
    return "\n".join(body for body in bodies if not body.startswith("<style>"))


class TestAccess:
    def test_without_a_log_in_there_is_a_link_to_the_log_in_page_and_no_figure(
        self, log_in: Callable[[str | None], None]
    ) -> None:
        log_in(None)
        at = visit()
        assert 'href="http://localhost:8000/login?next=http%3A%2F%2Flocalhost%3A8501"' in text(at)
        assert "im-card" not in text(at)
        assert not at.selectbox

    def test_the_link_leads_back_to_the_page_and_the_campaign_that_were_asked_for(
        self, installation: Settings, log_in: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = installation.addresses.public_dashboards_url.rstrip("/")
        monkeypatch.setattr(session, "read_url", lambda: f"{home}/campaign")
        log_in(None)
        shown = unescape(text(visit(campaign="greener-offices")))
        assert "/login?next=http%3A%2F%2Flocalhost%3A8501%2Fcampaign%3Fcampaign%3Dgreener-offices" in shown

    def test_a_member_gets_a_page_without_figures(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-member")
        at = visit()
        assert "Hello, &lt;B&gt;Mia&lt;/B&gt;" in text(at)
        assert "im-card" not in text(at)
        assert 'href="http://localhost:8000/logout"' in text(at)

    def test_no_access_if_the_api_fails(self, api: SessionServer, log_in: Callable[[str | None], None]) -> None:
        api.override = (500, b"")
        log_in("cookie-of-executive")
        at = visit()
        assert "does not respond" in text(at)
        assert "im-card" not in text(at)

    def test_no_access_after_the_end_of_the_session(
        self, api: SessionServer, log_in: Callable[[str | None], None]
    ) -> None:
        log_in("cookie-of-executive")
        at = visit()
        assert "im-card" in text(at)
        api.people.clear()
        import streamlit as st

        st.cache_data.clear()  # as after 30 seconds
        at.run()
        assert "im-card" not in text(at)

    def test_a_notice_if_nothing_is_published(self, data_dir: Path, log_in: Callable[[str | None], None]) -> None:
        (data_dir / "exports" / "current").unlink()
        log_in("cookie-of-executive")
        assert "There is no data yet" in text(visit())


class TestOverview:
    def test_an_executive_sees_each_figure_of_the_organisation(
        self, data_dir: Path, log_in: Callable[[str | None], None]
    ) -> None:
        log_in("cookie-of-executive")
        shown = text(visit())
        with marts.open_snapshot(data_dir, Scope.ALL) as reader:
            figures = reader.figures(None)
        assert len(figures) == 16
        for figure in figures:
            assert f'data-value="{figure.now.value!r}">{wording.value(figure.now.value, figure.unit)}' in shown
            assert escape(figure.definition) in shown
        for question in dict.fromkeys(figure.question for figure in figures):
            assert f"<h2>{escape(question)}</h2>" in shown

    def test_the_value_is_shown_with_numerator_denominator_change_and_coverage(
        self, log_in: Callable[[str | None], None]
    ) -> None:
        log_in("cookie-of-executive")
        shown = unescape(text(visit())).replace("\N{NO-BREAK SPACE}", " ")
        assert "140 of 175 · coverage 100%" in shown
        assert 'Last 30 days</dt><dd><b>32%</b> <span class="im-better">▲ 8 points</span>' in shown
        assert "30 before</dt><dd>24%" in shown
        assert "23,400 on PLN 13,000 · coverage 14.3%" in shown

    def test_a_rise_is_marked_as_worse_if_lower_is_better(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-executive")
        overdue = text(visit()).split('data-figure="overdue"')[1].split("</article>")[0]
        assert 'class="im-worse">▲' in overdue

    def test_missing_data_of_an_imported_election_is_not_in_the_file(self, data_dir: Path) -> None:
        shown = text(page("overview", data_dir, Scope.ALL, campaign="lodz-2020"))
        participation = shown.split('data-figure="participation"')[1].split("</article>")[0]
        assert "not in the file" in participation
        assert "%" not in participation

    def test_a_manager_sees_only_managed_campaigns(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-manager")
        at = visit()
        assert at.selectbox[0].options == ["Greener offices"]
        at.toggle[0].set_value(True).run()
        assert at.selectbox[0].options == ["Greener offices", "Łódź 2020 (imported)"]
        assert "Greener offices" in text(at)
        assert "Faster deliveries" not in text(at)

    def test_a_manager_cannot_open_another_campaign_by_address(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-manager")
        at = visit(campaign="faster-deliveries")
        assert "Faster deliveries" not in text(at)
        assert "There is no campaign \u201cfaster-deliveries\u201d among those that you may read." in text(at)
        assert at.selectbox[0].options == ["Greener offices"]

    def test_an_unknown_campaign_is_said_to_be_unknown(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-executive")
        at = visit(campaign="<b>nowhere")
        assert "There is no campaign \u201c&lt;b&gt;nowhere\u201d" in text(at)
        assert "im-card" not in text(at)
        at.selectbox[0].set_value("greener-offices").run()
        assert "Greener offices" in text(at)
        assert at.query_params["campaign"] == "greener-offices"

    def test_a_choice_is_in_the_address_and_an_earlier_address_undoes_it(
        self, log_in: Callable[[str | None], None]
    ) -> None:
        log_in("cookie-of-executive")
        at = visit()
        at.selectbox[0].set_value("greener-offices").run()
        assert at.query_params["campaign"] == "greener-offices"
        at.query_params["campaign"] = "faster-deliveries"  # as after Back
        at.run()
        assert at.selectbox[0].value == "faster-deliveries"
        del at.query_params["campaign"]
        at.run()
        assert '<h1 dir="auto">Overview</h1>' in text(at)

    def test_cached_data_is_not_shared_between_scopes(self, log_in: Callable[[str | None], None]) -> None:
        seen = {}
        for cookie in ("cookie-of-executive", "cookie-of-manager", "cookie-of-other-manager", "cookie-of-executive"):
            log_in(cookie)
            at = visit()
            seen[cookie] = at.selectbox[0].options
        assert seen["cookie-of-executive"][0] == "All our own campaigns"
        assert seen["cookie-of-manager"] == ["Greener offices"]
        assert seen["cookie-of-other-manager"] == ["Faster deliveries"]

    def test_a_newer_snapshot_is_shown_at_the_next_run(
        self, data_dir: Path, log_in: Callable[[str | None], None]
    ) -> None:
        log_in("cookie-of-executive")
        at = visit()
        assert 'data-snapshot="20260630T040000Z"' in text(at)
        write_snapshot(data_dir, "newer", changes={"fct_figures": []})
        at.run()
        assert 'data-snapshot="newer"' in text(at)
        assert "There are no figures yet" in text(at)

    def test_imported_campaigns_are_listed_only_on_request(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-executive")
        at = visit()
        assert not any("imported" in option for option in at.selectbox[0].options)
        at.toggle[0].set_value(True).run()
        assert sum("(imported)" in option for option in at.selectbox[0].options) == 2


@pytest.mark.parametrize("name", ["overview", "campaign", "roi", "conservation", "cohorts"])
class TestEveryPage:
    def test_shows_the_age_of_the_data(self, data_dir: Path, name: str) -> None:
        shown = unescape(text(page(name, data_dir, Scope.ALL))).replace("\N{NO-BREAK SPACE}", " ")
        assert "Data as of <b>30 Jun 2026, 04:00 UTC</b>" in shown
        assert "older than a day" in shown

    def test_escapes_titles(self, data_dir: Path, name: str) -> None:
        at = page(name, data_dir, Scope.ALL, campaign="greener-offices")
        shown = text(at)
        assert "<b>bold" not in shown
        assert "<a href" not in shown
        assert HOSTILE_TITLE not in "".join(element.value for element in [*at.markdown, *at.caption])

    def test_has_a_notice_for_an_empty_snapshot(self, tmp_path: Path, name: str) -> None:
        empty: dict[str, list[dict[str, object]]] = {table: [] for table in rows() if table != "dim_figures"}
        write_snapshot(tmp_path / "empty", changes=empty)
        assert "im-notice" in text(page(name, tmp_path / "empty", Scope.ALL))

    def test_says_that_newer_data_was_refused(self, data_dir: Path, name: str) -> None:
        refusal = exports.note_refusal(data_dir / "exports", ["Greener <offices> (greener-offices): 1 coin missing"])
        shown = text(page(name, data_dir, Scope.ALL))
        assert f"<b>Newer data has been refused since {wording.minute(refusal.since)}.</b>" in shown
        assert "This page shows the data as of 30\N{NO-BREAK SPACE}Jun\N{NO-BREAK SPACE}2026" in shown
        assert "Reason: Greener &lt;offices&gt; (greener-offices): 1 coin missing." in shown


class TestRefusal:
    def test_a_manager_reads_only_reasons_that_name_a_managed_campaign(self, data_dir: Path) -> None:
        reasons = [
            "Greener offices (greener-offices): 1 coin missing",
            "Faster deliveries (faster-deliveries): 2 coins",
        ]
        exports.note_refusal(data_dir / "exports", reasons)
        shown = text(page("overview", data_dir, Scope.of([campaign_id("greener-offices")])))
        assert "Reason: Greener offices (greener-offices): 1 coin missing." in shown
        assert "Faster deliveries" not in shown

    def test_a_manager_of_another_campaign_reads_no_reason(self, data_dir: Path) -> None:
        exports.note_refusal(data_dir / "exports", ["Greener offices (greener-offices): 1 coin missing"])
        shown = text(page("overview", data_dir, Scope.of([campaign_id("faster-deliveries")])))
        assert "A check of the data failed." in shown
        assert "Greener offices" not in shown

    def test_the_conservation_page_does_not_confirm_newer_coins(self, data_dir: Path) -> None:
        exports.note_refusal(data_dir / "exports", ["1 coin missing"])
        shown = text(page("conservation", data_dir, Scope.ALL))
        assert "im-good" not in shown
        assert (
            "As of 30\N{NO-BREAK SPACE}Jun\N{NO-BREAK SPACE}2026, 04:00\N{NO-BREAK SPACE}UTC, in all 6 campaigns"
            in shown
        )

    def test_it_is_shown_without_any_published_data(self, data_dir: Path, log_in: Callable[[str | None], None]) -> None:
        (data_dir / "exports" / "current").unlink()
        exports.note_refusal(data_dir / "exports", ["a coin is missing"])
        log_in("cookie-of-executive")
        assert "Reason: a coin is missing." in text(visit())


class TestCampaign:
    def test_ideas_are_sorted_by_rank_with_their_coins(self, data_dir: Path) -> None:
        at = page("campaign", data_dir, Scope.ALL, campaign="faster-deliveries")
        frame = at.dataframe[0].value
        expected = sorted(
            (row for row in rows()["dim_ideas"] if row["campaign_id"] == campaign_id("faster-deliveries")),
            key=lambda row: row["rank_in_campaign"],
        )
        assert frame["title"].to_list() == [row["title"] for row in expected]
        assert frame["coins"].to_list() == [row["coins"] for row in expected]

    def test_titles_are_unchanged_in_cells(self, data_dir: Path) -> None:
        at = page("campaign", data_dir, Scope.ALL, campaign="greener-offices")
        assert HOSTILE_TITLE in at.dataframe[0].value["title"].to_list()

    def test_missing_times_of_an_imported_election_are_marked(self, data_dir: Path) -> None:
        at = page("campaign", data_dir, Scope.ALL, campaign="lodz-2020")
        assert "<b>Not in the file</b>" in text(at)
        assert "Ever took part</dt><dd>not in the file" in text(at)

    def test_hidden_groups_are_counted(self, data_dir: Path) -> None:
        at = page("campaign", data_dir, Scope.ALL, campaign="greener-offices")
        assert "2 groups are not shown" in at.caption[0].value

    def test_small_numbers_of_people_are_hidden(self, tmp_path: Path) -> None:
        write_snapshot(tmp_path / "few", changes=suppressed("greener-offices"))
        shown = text(page("campaign", tmp_path / "few", Scope.ALL, campaign="greener-offices"))
        assert "Members</dt><dd>fewer than 5" in shown
        assert "Ever took part</dt><dd>fewer than 5" in shown
        assert shown.count("<b>Not shown</b>") == 3  # ideas by coins, coins over time, groups

    def test_the_table_of_ideas_of_a_suppressed_campaign_has_no_coins(self, tmp_path: Path) -> None:
        write_snapshot(tmp_path / "few", changes=suppressed("greener-offices"))
        at = page("campaign", tmp_path / "few", Scope.ALL, campaign="greener-offices")
        assert at.dataframe[0].value["coins"].isna().all()
        assert "coins" not in at.dataframe[0].proto.column_order
        assert at.dataframe[0].proto.placeholder == wording.NONE

    def test_only_the_largest_of_many_groups_are_drawn_with_a_notice(self, tmp_path: Path) -> None:
        campaign = campaign_id("lodz-2020")
        groups = [
            {"campaign_id": campaign, "attribute": "district", "group_name": name, "members": members,
             "participants": members, "coins": members, "is_suppressed": False}
            for name, members in [("not stated", 999), *((f"District {n}", 10 + n) for n in range(20))]
        ]  # fmt: skip
        write_snapshot(tmp_path / "many", changes={"fct_participation_by_group": groups})
        at = page("campaign", tmp_path / "many", Scope.ALL, campaign="lodz-2020")
        assert at.caption[0].value == "The largest 10 of 21 groups."
        drawn = json.loads(at.get("plotly_chart")[-1].proto.spec)["layout"]["yaxis"]["ticktext"]
        assert drawn == [f"District {n}" for n in range(19, 9, -1)]


class TestConservation:
    def test_conserved_coins_are_shown_in_green(self, data_dir: Path) -> None:
        shown = text(page("conservation", data_dir, Scope.ALL))
        assert "im-good" in shown
        assert "in all 6 campaigns, every coin is accounted for: 36,500 coins, difference 0." in shown

    @pytest.mark.parametrize("fault", ["difference_coins", "wrong_balances"])
    def test_a_difference_is_shown_in_red_and_marked(self, tmp_path: Path, fault: str) -> None:
        slug = "greener-offices"
        wrong = [
            {
                **row,
                fault: int(row["campaign_id"] == campaign_id(slug)),
                "is_balanced": row["campaign_id"] != campaign_id(slug),
            }
            for row in rows()["fct_coin_conservation"]
        ]
        write_snapshot(tmp_path / "wrong", changes={"fct_coin_conservation": wrong})
        shown = text(page("conservation", tmp_path / "wrong", Scope.ALL))
        assert "im-good" not in shown
        assert "coins do not add up in 1 of 6 campaigns" in shown
        assert shown.count('<tr class="im-wrong">') == 1
        assert TITLES[slug] in shown.split('<tr class="im-wrong">')[1].split("</tr>")[0]

    def test_a_suppressed_campaign_is_only_balanced(self, tmp_path: Path) -> None:
        write_snapshot(tmp_path / "few", changes=suppressed("greener-offices"))
        shown = text(page("conservation", tmp_path / "few", Scope.ALL))
        row = shown.split("Greener offices")[1].split("</tr>")[0]
        assert "balanced" in row
        assert not any(character.isdigit() for character in unescape(re.sub("<[^>]*>", "", row)))
        assert "every coin is accounted for: 30,500 coins in 5 campaigns with at least 5 people" in shown

    def test_the_only_campaign_is_suppressed(self, tmp_path: Path) -> None:
        write_snapshot(tmp_path / "few", changes=suppressed("greener-offices"))
        shown = text(page("conservation", tmp_path / "few", Scope.of([campaign_id("greener-offices")])))
        assert "in the only campaign, every coin is accounted for." in shown

    def test_a_manager_sees_the_rows_of_managed_campaigns(self, data_dir: Path) -> None:
        shown = text(page("conservation", data_dir, Scope.of([campaign_id("lodz-2020")])))
        assert "Łódź 2020" in shown
        assert "Greener offices" not in shown
        assert "in the only campaign" in shown


class TestCohorts:
    def test_they_are_refused_without_access_to_all_campaigns(self, data_dir: Path) -> None:
        with pytest.raises(AssertionError, match="OutOfScope"):
            page("cohorts", data_dir, Scope.of([campaign_id("greener-offices")]))


class TestRoi:
    def test_currencies_are_separate(self, data_dir: Path) -> None:
        shown = text(page("roi", data_dir, Scope.ALL))
        for currency in ("EUR", "PLN", "USD"):
            assert f">{currency}</h2>" in shown
        assert shown.count('data-figure="roi"') == 3

    def test_amounts_equal_the_mart(self, data_dir: Path) -> None:
        shown = text(page("roi", data_dir, Scope.ALL, campaign="greener-offices"))
        with marts.open_snapshot(data_dir, Scope.ALL) as reader:
            outcomes = reader.roi(campaign_id("greener-offices"))
        for row in outcomes.iter_rows(named=True):
            assert f">{wording.amount(row['realised_value'], row['currency'])}</td>" in shown
            assert f">{wording.percent(row['roi'])}</td>" in shown

    def test_missing_values_of_an_imported_election_are_marked(self, data_dir: Path) -> None:
        assert "<b>Not in the file</b>" in text(page("roi", data_dir, Scope.ALL, campaign="lodz-2020"))

    def test_missing_values_are_marked_if_planned_costs_are_known(self, tmp_path: Path) -> None:
        (idea,) = [row for row in rows()["dim_ideas"] if row["campaign_id"] == campaign_id("lodz-2020")][:1]
        expected = {
            "idea_id": idea["idea_id"],
            "campaign_id": idea["campaign_id"],
            "currency": "PLN",
            "expected_cost": 9,
        }
        write_snapshot(
            tmp_path / "costs", changes={"fct_idea_roi": [{**expected, "status": "accepted", "has_both": False}]}
        )
        shown = text(page("roi", tmp_path / "costs", Scope.ALL, campaign="lodz-2020"))
        assert "<b>Not in the file</b>" in shown
        assert "<table" not in shown

    def test_a_missing_outcome_is_unknown_and_not_zero(self, data_dir: Path) -> None:
        shown = text(page("roi", data_dir, Scope.ALL, campaign="tools-we-miss"))
        assert "<b>Outcome not known</b>" in shown
        assert ">0%" not in shown
