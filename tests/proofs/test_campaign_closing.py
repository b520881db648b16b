"""A campaign is closed and completed exactly once, although the process is killed at every step."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import text

from api.campaigns import service as campaigns
from api.coins import service as coins
from api.ideas import service as ideas
from api.kernel import clock
from api.kernel.db import Database
from tests.factories.campaigns import DESCRIPTION
from tests.factories.shells import measuring
from tests.factories.users import make_user
from tests.factories.warehouse import database_of_its_own
from tests.proofs.closing_worker import STEPS

if TYPE_CHECKING:
    from uuid import UUID

    from settings import Settings

ROOT = Path(__file__).parents[2]
START = datetime(2026, 1, 1, tzinfo=UTC)
_STATE = text(
    """
    SELECT c.status,
        (SELECT array_agg(e.kind ORDER BY e.kind) FROM app.events AS e
            WHERE e.campaign_id = c.id AND e.kind IN ('campaign_closed', 'campaign_completed')) AS events,
        (SELECT array_agg(DISTINCT i.status) FROM app.ideas AS i WHERE i.campaign_id = c.id) AS ideas
    FROM app.campaigns AS c WHERE c.id = :id
    """
)


async def make_ended(db: Database) -> UUID:
    """A campaign with stakes, whose dates passed while no process was running."""
    end = START + timedelta(days=30)
    with clock.at(START):
        async with db.session() as session:
            manager, member = await make_user(session), await make_user(session)
            campaign = await campaigns.create_campaign(
                session, actor_id=manager.id, slug=f"ended-{uuid4().hex[:8]}", title="Ended without a process",
                starts_at=START, ends_at=end, decide_by=end + timedelta(days=7),
            )  # fmt: skip
            await campaigns.activate_campaign(session, campaign, actor_id=manager.id)
            await campaigns.join_campaign(session, campaign, user_id=member.id, actor_id=manager.id)
            for number in range(3):
                idea = await ideas.submit_idea(
                    session, campaign, author_id=manager.id, title=f"Idea number {number}", description=DESCRIPTION
                )
                (moved,) = await coins.move_coins(session, [coins.Move(campaign.id, member.id, None, idea.id, 20)])
                assert moved.outcome == "moved"
    return campaign.id


async def run_worker(settings: Settings, step: str) -> int:
    """The exit code of a process that kills itself at a step."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proofs.closing_worker", str(settings.database.url), step, cwd=ROOT,
        env=measuring() | {
            "APP_PASSWORD": settings.database.role_password("app"), "PYTHONPATH": str(ROOT),
            "IDEAMINT_DATA_DIR": str(settings.paths.data_dir),
        },
    )  # fmt: skip
    return await process.wait()


async def test_each_step_is_executed_once_although_the_process_is_killed(
    server: Settings, worker: str, tmp_path: Path
) -> None:
    with database_of_its_own(server, f"closing_{worker}_{uuid4().hex[:8]}", tmp_path) as settings:
        db = Database(settings.database)
        campaign_id = await make_ended(db)
        for step in STEPS:
            assert await run_worker(settings, step) == -signal.SIGKILL, step
            async with db.session() as session:
                state = (await session.execute(_STATE, {"id": campaign_id})).one()
            is_closed = STEPS.index(step) >= STEPS.index("closed")
            assert state.status == ("closed" if is_closed else "active"), step
            assert state.events == (["campaign_closed"] if is_closed else None), step
            assert state.ideas == ["competing"], step
        codes = await asyncio.gather(*(run_worker(settings, "none") for _ in range(2)))
        assert codes == [0, 0]
        async with db.session() as session:
            state = (await session.execute(_STATE, {"id": campaign_id})).one()
            (found,) = await coins.verify(session, campaign_id)
        assert state == ("completed", ["campaign_closed", "campaign_completed"], ["not_selected"])
        assert found.holds
        assert (found.wallet_coins, found.staked_coins, found.expired_coins) == (0, 0, 200)
        await db.close()
