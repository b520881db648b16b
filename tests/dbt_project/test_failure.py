"""What a build that fails reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration import refresh
from pipelines import warehouse
from tests.factories.warehouse import AS_OF

if TYPE_CHECKING:
    from tests.dbt_project.conftest import Built


def test_a_failed_build_reports_the_reason(built: Built) -> None:
    database = built.settings.database
    url = database.role_url("dbt").replace(database.role_password("dbt"), "wrong")

    with pytest.raises(warehouse.BuildFailed, match="password authentication failed"):
        # the moment of the earlier build, so that dbt need not parse the project again
        warehouse.build(url, refresh.state_dir(built.settings), 0, as_of=AS_OF)
