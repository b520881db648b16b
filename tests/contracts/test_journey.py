"""The commands of docs/journey.md, as a reader runs them, against a running API; and what they lead to."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from typing import TYPE_CHECKING

import httpx2

from tests.factories.campaigns import event_kinds
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, commit_user
from tests.upgrade.releases import ROOT, running_api, until_ready

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from settings import Settings

BLOCKS = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RESULTS = '\necho "IDEA=$IDEA CAMPAIGN=$CAMPAIGN"\ncall "$ANNA" GET "/ideas/$IDEA"\n'
KINDS = [
    "idea_drafted", "idea_draft_edited", "idea_submitted", "idea_changes_requested", "idea_edited", "idea_approved",
    "comment_written", "comment_written", "coins_allocated", "idea_accepted", "idea_owner_changed", "milestone_added",
    "idea_started", "milestone_changed", "idea_completed", "idea_valued", "idea_valued",
]  # fmt: skip


def run(script: str, **environment: str) -> str:
    """The output of a script of bash, which ends at the first command that fails."""
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env=os.environ | environment, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-2000:]
    return finished.stdout


async def test_three_people_lead_an_idea_from_a_draft_to_its_return(
    application: FastAPI, database: Settings, tmp_path: Path
) -> None:
    anna = await commit_user(application, password=PASSWORD, permissions=["create_campaign"])
    ben, cleo = [await commit_user(application, password=PASSWORD) for _ in range(2)]
    blocks = BLOCKS.findall((ROOT / "docs" / "journey.md").read_text(encoding="utf-8"))
    assert len(blocks) == 8
    emails = {f"{name}_EMAIL": str(user.email) for name, user in (("ANNA", anna), ("BEN", ben), ("CLEO", cleo))}
    with running_api(ROOT, database, tmp_path / "api.log") as (process, url):
        async with httpx2.AsyncClient(base_url=url) as client:
            await until_ready(client, process, tmp_path / "api.log")
        output = await asyncio.to_thread(
            run, "\n".join(blocks) + RESULTS, API=f"{url}/api/v1", PASSWORD=PASSWORD, **emails
        )
    assert '"wallet_coins": 20' in output, "the balance of Cleo"
    assert '"holds": true' in output, "the verification"
    found = re.search(r"IDEA=(\S+) CAMPAIGN=(\S+)\n(.*)", output)
    assert found is not None
    assert '"status":"complete"' in found[3]
    assert await event_kinds(application, found[1]) == KINDS
    async with parts(application).database.session() as session:
        from api.campaigns import service as campaigns

        campaign = await campaigns.get_campaign(session, found[2])  # type: ignore[arg-type] # PostgreSQL reads the text
        assert campaign.status == "completed"
