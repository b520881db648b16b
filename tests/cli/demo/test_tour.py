"""The commands of README.md, as a newcomer runs them: on a demo of today, twice in a row."""

from __future__ import annotations

import asyncio
import re
import subprocess
from typing import TYPE_CHECKING

import httpx2
import pytest

from api.kernel import clock
from cli.demo.run import make_demo
from cli.local.installation import with_database
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.shells import ROOT
from tests.upgrade.releases import running_api, until_ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from settings import Settings

pytestmark = pytest.mark.deep

ADDRESS = "http://localhost:8000"
# a refused request and a command that fails end the script
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body --show-error "$@"; }\n'


def tour() -> str:
    """The shell commands of the section about curl."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme[readme.index("## The API with curl") :]
    found = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert found
    assert ADDRESS in found[1]
    return found[1]


async def test_the_tour_of_the_readme_succeeds_twice_in_a_row(
    new_database: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = new_database("tour")
    today = clock.now().date()
    await asyncio.to_thread(with_database, settings, lambda database: make_demo(database, today=today))
    with running_api(ROOT, settings, tmp_path / "api.log") as (process, url):
        async with httpx2.AsyncClient(base_url=url, timeout=GIVE_UP_AFTER_S) as client:
            await until_ready(client, process, tmp_path / "api.log")
        for _ in range(2):
            done = await asyncio.to_thread(
                subprocess.run, ["bash", "-c", STRICT + tour().replace(ADDRESS, url)],
                capture_output=True, text=True, check=False, timeout=GIVE_UP_AFTER_S,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            assert "A lid that does not drip" in done.stdout
