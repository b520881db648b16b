"""What a build that fails reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines import warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from settings import Settings


@pytest.mark.deep  # a run of dbt of its own, which parses the project
def test_a_failed_build_reports_the_reason(database: Settings, tmp_path: Path) -> None:
    url = database.database.role_url("dbt").replace(database.database.role_password("dbt"), "wrong")

    with pytest.raises(warehouse.BuildFailed, match="password authentication failed"):
        warehouse.build(url, tmp_path, 0)
