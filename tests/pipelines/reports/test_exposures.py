"""Every report has an exposure in dbt with the marts that the report reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.reports import Format, render
from tests.factories.exposures import declared, recorded_marts

if TYPE_CHECKING:
    from pipelines.marts import Marts

EXPOSURES = {exposure.meta["report"]: exposure for exposure in declared() if "report" in exposure.meta}


class TestExposures:
    def test_every_format_has_an_exposure_with_an_owner(self) -> None:
        assert set(EXPOSURES) == {kind.value for kind in Format}
        assert all(exposure.owner for exposure in EXPOSURES.values())

    @pytest.mark.parametrize("kind", Format)
    def test_it_lists_the_marts_that_the_report_reads(
        self, kind: Format, reader: Marts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with recorded_marts(monkeypatch) as found:
            for campaign in reader.campaigns():
                render(reader, campaign.slug, kind)
        assert found == EXPOSURES[kind.value].marts
