from __future__ import annotations

import json
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from pipelines import marts, wording
from pipelines.marts import Scope
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.marts import write_snapshot
from tests.factories.marts_world import HOSTILE_TITLE, campaign_id, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dashboards.conftest import SessionServer

APP = Path(__file__).parents[2] / "dashboards" / "app.py"
TITLES = {row["slug"]: row["title"] for row in rows()["dim_campaigns"]}

pytestmark = pytest.mark.usefixtures("installation")


def visit(**query: str) -> AppTest:
    """Open the dashboards' first page."""
    at = AppTest.from_file(APP, default_timeout=GIVE_UP_AFTER_S)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def page(name: str, data_dir: Path, scope: Scope, **query: str) -> AppTest:
    """Open one page as somebody of that scope, who is in already."""

    def script(name, data_dir, scope):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - runs by its text
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
    """All HTML on the page but the style sheet."""
    bodies = (element.proto.body for element in at.get("html"))
    return "\n".join(body for body in bodies if not body.startswith("<style>"))


class TestAccess:
    def test_nobody_logged_in_gets_the_way_to_the_log_in_and_no_figure(
        self, log_in: Callable[[str | None], None]
    ) -> None:
        log_in(None)
        at = visit()
        assert 'href="http://localhost:8000/login?next=http%3A%2F%2Flocalhost%3A8501"' in text(at)
        assert "im-card" not in text(at)
        assert not at.selectbox

    def test_a_member_is_sent_away_kindly_by_name(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-member")
        at = visit()
        assert "Hello, &lt;B&gt;Mia&lt;/B&gt;" in text(at)
        assert "im-card" not in text(at)
        assert 'href="http://localhost:8000/logout"' in text(at)

    def test_an_api_that_fails_lets_nobody_in(self, api: SessionServer, log_in: Callable[[str | None], None]) -> None:
        api.override = (500, b"")
        log_in("cookie-of-executive")
        at = visit()
        assert "does not respond" in text(at)
        assert "im-card" not in text(at)

    def test_a_session_that_ends_closes_the_page_at_the_next_look(
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

    def test_nothing_published_is_said(self, data_dir: Path, log_in: Callable[[str | None], None]) -> None:
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

    def test_numerator_denominator_change_and_coverage_stand_beside_the_value(
        self, log_in: Callable[[str | None], None]
    ) -> None:
        log_in("cookie-of-executive")
        shown = unescape(text(visit())).replace("\N{NO-BREAK SPACE}", " ")
        assert "140 of 175 · coverage 100%" in shown
        assert 'Last 30 days</dt><dd><b>32%</b> <span class="im-better">▲ 8 points</span>' in shown
        assert "30 before</dt><dd>24%" in shown
        assert "23,400 on PLN 13,000 · coverage 14.3%" in shown

    def test_a_rise_of_what_should_fall_is_marked_as_worse(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-executive")
        overdue = text(visit()).split('data-figure="overdue"')[1].split("</article>")[0]
        assert 'class="im-worse">▲' in overdue

    def test_what_an_imported_election_does_not_say_is_not_in_the_file(self, data_dir: Path) -> None:
        shown = text(page("overview", data_dir, Scope.ALL, campaign="lodz-2020"))
        participation = shown.split('data-figure="participation"')[1].split("</article>")[0]
        assert "not in the file" in participation
        assert "%" not in participation

    def test_a_manager_sees_only_the_own_campaigns(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-manager")
        at = visit()
        assert at.selectbox[0].options == ["Greener offices"]
        at.toggle[0].set_value(True).run()
        assert at.selectbox[0].options == ["Greener offices", "Łódź 2020 (imported)"]
        assert "Greener offices" in text(at)
        assert "Faster deliveries" not in text(at)

    def test_a_managers_address_opens_no_other_campaign(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-manager")
        at = visit(campaign="faster-deliveries")
        assert "Faster deliveries" not in text(at)
        assert "Greener offices" in text(at)

    def test_what_was_read_for_one_is_not_shown_to_the_other(self, log_in: Callable[[str | None], None]) -> None:
        seen = {}
        for cookie in ("cookie-of-executive", "cookie-of-manager", "cookie-of-other-manager", "cookie-of-executive"):
            log_in(cookie)
            at = visit()
            seen[cookie] = at.selectbox[0].options
        assert seen["cookie-of-executive"][0] == "All our own campaigns"
        assert seen["cookie-of-manager"] == ["Greener offices"]
        assert seen["cookie-of-other-manager"] == ["Faster deliveries"]

    def test_a_newer_snapshot_is_seen_at_the_next_look(
        self, data_dir: Path, log_in: Callable[[str | None], None]
    ) -> None:
        log_in("cookie-of-executive")
        at = visit()
        assert 'data-snapshot="20260630T040000Z"' in text(at)
        write_snapshot(data_dir, "newer", changes={"fct_figures": []})
        at.run()
        assert 'data-snapshot="newer"' in text(at)
        assert "There are no figures yet" in text(at)

    def test_imported_campaigns_are_offered_only_when_wanted(self, log_in: Callable[[str | None], None]) -> None:
        log_in("cookie-of-executive")
        at = visit()
        assert not any("imported" in option for option in at.selectbox[0].options)
        at.toggle[0].set_value(True).run()
        assert sum("(imported)" in option for option in at.selectbox[0].options) == 2


@pytest.mark.parametrize("name", ["overview", "campaign", "roi", "conservation", "cohorts"])
class TestEveryPage:
    def test_says_how_old_the_data_is(self, data_dir: Path, name: str) -> None:
        shown = unescape(text(page(name, data_dir, Scope.ALL))).replace("\N{NO-BREAK SPACE}", " ")
        assert "Data as of <b>30 Jun 2026, 04:00 UTC</b>" in shown
        assert "older than a day" in shown

    def test_obeys_no_title(self, data_dir: Path, name: str) -> None:
        at = page(name, data_dir, Scope.ALL, campaign="greener-offices")
        shown = text(at)
        assert "<b>bold" not in shown
        assert "<a href" not in shown
        assert HOSTILE_TITLE not in "".join(element.value for element in [*at.markdown, *at.caption])

    def test_stands_on_an_empty_snapshot(self, tmp_path: Path, name: str) -> None:
        empty: dict[str, list[dict[str, object]]] = {table: [] for table in rows() if table != "dim_figures"}
        write_snapshot(tmp_path / "empty", changes=empty)
        assert "im-notice" in text(page(name, tmp_path / "empty", Scope.ALL))


class TestCampaign:
    def test_ideas_stand_by_rank_with_their_coins(self, data_dir: Path) -> None:
        at = page("campaign", data_dir, Scope.ALL, campaign="faster-deliveries")
        frame = at.dataframe[0].value
        expected = sorted(
            (row for row in rows()["dim_ideas"] if row["campaign_id"] == campaign_id("faster-deliveries")),
            key=lambda row: row["rank_in_campaign"],
        )
        assert frame["title"].to_list() == [row["title"] for row in expected]
        assert frame["coins"].to_list() == [row["coins"] for row in expected]

    def test_titles_are_cells_as_they_were_written(self, data_dir: Path) -> None:
        at = page("campaign", data_dir, Scope.ALL, campaign="greener-offices")
        assert HOSTILE_TITLE in at.dataframe[0].value["title"].to_list()

    def test_an_imported_election_has_no_time_and_says_so(self, data_dir: Path) -> None:
        at = page("campaign", data_dir, Scope.ALL, campaign="lodz-2020")
        assert "<b>Not in the file</b>" in text(at)
        assert "Ever took part</dt><dd>not in the file" in text(at)

    def test_small_groups_are_counted_and_not_shown(self, data_dir: Path) -> None:
        at = page("campaign", data_dir, Scope.ALL, campaign="greener-offices")
        assert "2 groups are not shown" in at.caption[0].value

    def test_few_people_are_not_told(self, tmp_path: Path) -> None:
        few = [{**row, "members": 3, "participants": 2} for row in rows()["dim_campaigns"]]
        write_snapshot(tmp_path / "few", changes={"dim_campaigns": few})
        shown = text(page("campaign", tmp_path / "few", Scope.ALL, campaign="greener-offices"))
        assert "Members</dt><dd>fewer than 5" in shown
        assert "Ever took part</dt><dd>fewer than 5" in shown

    def test_only_the_largest_of_many_groups_are_drawn_and_that_is_said(self, tmp_path: Path) -> None:
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
    def test_all_well_is_said_in_green(self, data_dir: Path) -> None:
        shown = text(page("conservation", data_dir, Scope.ALL))
        assert "im-good" in shown
        assert "In all 6 campaigns, every coin is accounted for: 36,500 coins, difference 0." in shown

    @pytest.mark.parametrize("fault", ["difference_coins", "wrong_balances"])
    def test_one_coin_amiss_is_said_in_red_and_marked(self, tmp_path: Path, fault: str) -> None:
        slug = "greener-offices"
        wrong = [
            {**row, fault: int(row["campaign_id"] == campaign_id(slug))} for row in rows()["fct_coin_conservation"]
        ]
        write_snapshot(tmp_path / "wrong", changes={"fct_coin_conservation": wrong})
        shown = text(page("conservation", tmp_path / "wrong", Scope.ALL))
        assert "im-good" not in shown
        assert "Coins do not add up in 1 of 6 campaigns" in shown
        assert shown.count('<tr class="im-wrong">') == 1
        assert TITLES[slug] in shown.split('<tr class="im-wrong">')[1].split("</tr>")[0]

    def test_a_manager_sees_the_rows_of_the_own_campaigns(self, data_dir: Path) -> None:
        shown = text(page("conservation", data_dir, Scope.of([campaign_id("lodz-2020")])))
        assert "Łódź 2020" in shown
        assert "Greener offices" not in shown
        assert "In the only campaign" in shown


class TestCohorts:
    def test_they_are_refused_to_who_does_not_see_all(self, data_dir: Path) -> None:
        with pytest.raises(AssertionError, match="OutOfScope"):
            page("cohorts", data_dir, Scope.of([campaign_id("greener-offices")]))


class TestRoi:
    def test_each_currency_stands_for_itself(self, data_dir: Path) -> None:
        shown = text(page("roi", data_dir, Scope.ALL))
        for currency in ("EUR", "PLN", "USD"):
            assert f">{currency}</h2>" in shown
        assert shown.count('data-figure="roi"') == 3

    def test_amounts_are_the_marts(self, data_dir: Path) -> None:
        shown = text(page("roi", data_dir, Scope.ALL, campaign="greener-offices"))
        with marts.open_snapshot(data_dir, Scope.ALL) as reader:
            outcomes = reader.roi(campaign_id("greener-offices"))
        for row in outcomes.iter_rows(named=True):
            assert f">{wording.amount(row['realised_value'], row['currency'])}</td>" in shown
            assert f">{wording.percent(row['roi'])}</td>" in shown

    def test_an_imported_election_says_that_it_does_not_say(self, data_dir: Path) -> None:
        assert "<b>Not in the file</b>" in text(page("roi", data_dir, Scope.ALL, campaign="lodz-2020"))

    def test_an_imported_election_with_costs_alone_says_so_too(self, tmp_path: Path) -> None:
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

    def test_no_outcome_yet_is_unknown_and_not_zero(self, data_dir: Path) -> None:
        shown = text(page("roi", data_dir, Scope.ALL, campaign="tools-we-miss"))
        assert "<b>Outcome not known</b>" in shown
        assert ">0%" not in shown
