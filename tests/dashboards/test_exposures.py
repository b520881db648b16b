"""Every page has an exposure in dbt with the marts that the page reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards import app_pages
from tests.factories.exposures import declared, recorded_marts
from tests.factories.marts_world import rows

if TYPE_CHECKING:
    from settings import Settings

FOLDER = Path(app_pages.__file__).parent
WITHOUT_DATA = {"__init__", "access"}
PAGES = sorted({path.stem for path in FOLDER.glob("*.py")} - WITHOUT_DATA)
CAMPAIGNS = [row["slug"] for row in rows()["dim_campaigns"]]
EXPOSURES = {exposure.meta["page"]: exposure for exposure in declared() if "page" in exposure.meta}


def render(page: str, data_dir: Path, campaign: str | None) -> None:
    def script(page, data_dir):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - runs from its source
        from importlib import import_module

        from dashboards.data import View
        from pipelines import marts

        import_module(f"dashboards.app_pages.{page}").render(View(marts.published(data_dir), marts.Scope.ALL))

    at = AppTest.from_function(script, kwargs={"page": page, "data_dir": data_dir}, default_timeout=30)
    if campaign is not None:
        at.query_params["campaign"] = campaign
    at.run()
    assert not at.exception


class TestExposures:
    def test_every_page_has_an_exposure_with_an_owner(self) -> None:
        assert set(EXPOSURES) == {f"dashboards/app_pages/{page}.py" for page in PAGES}
        assert all(exposure.owner for exposure in EXPOSURES.values())

    @pytest.mark.parametrize("page", PAGES)
    def test_it_lists_the_marts_that_the_page_reads(
        self, page: str, installation: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        st.cache_data.clear()
        with recorded_marts(monkeypatch) as found:
            for campaign in (None, *CAMPAIGNS):
                render(page, installation.paths.data_dir, campaign)
        assert found == EXPOSURES[f"dashboards/app_pages/{page}.py"].marts
