"""A worker process for the proof of closing: runs both loops once, and kills itself at a step.

Usage: python -m tests.proofs.closing_worker APP_URL STEP. It sends itself SIGKILL when it reaches STEP; the step "none" is
never reached.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from pydantic import PostgresDsn, SecretStr

import api.models  # noqa: F401 - foreign keys name tables of other domains
import settings as configuration
from api.campaigns import handlers as campaign_handlers
from api.campaigns import transitions
from api.coins import service as coins
from api.ideas import handlers as idea_handlers
from api.ideas import service as ideas
from api.kernel.db import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# in the order of one campaign; from `closed` on, the status is stored
STEPS = (
    "before_close", "before_closed_event", "before_close_commit", "closed", "before_complete", "before_ledger_closed",
    "after_ledger_closed", "before_idea", "before_complete_commit",
)  # fmt: skip


def reach(step: str) -> None:
    """Kill the process if this is its step."""
    if step == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)


def add_steps(module: Any, name: str, *, before: str = "", after: str = "") -> None:
    """Replace a function of a module by one with a step before and after the call."""
    function: Callable[..., Awaitable[Any]] = getattr(module, name)

    async def call(*arguments: Any, **named: Any) -> Any:
        reach(before)
        result = await function(*arguments, **named)
        reach(after)
        return result

    setattr(module, name, call)


async def main() -> None:
    """Run both loops once."""
    settings = configuration.load(
        env_file=None, env="test", log_level="ERROR", database_url=PostgresDsn(sys.argv[1]),
        app_password=SecretStr(os.environ["APP_PASSWORD"]),
    )  # fmt: skip
    add_steps(campaign_handlers, "close_campaign", before="before_close", after="before_close_commit")
    add_steps(transitions, "record_event", before="before_closed_event")
    add_steps(idea_handlers, "complete_campaign", before="before_complete", after="before_complete_commit")
    add_steps(coins, "close_ledger", before="before_ledger_closed", after="after_ledger_closed")
    add_steps(ideas, "take_step", before="before_idea")
    database = Database(settings.database)
    await campaign_handlers.close_due_campaigns(database)
    reach("closed")
    await idea_handlers.complete_due_campaigns(database)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main())
