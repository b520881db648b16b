"""Events of the commands that people send to Dagster."""

from __future__ import annotations

from api.events import payloads
from api.events.service import record_event
from api.kernel.db import Database
from orchestration.web.commands import Commands
from orchestration.web.viewers import Viewer
from settings import Settings


class CommandRecords:
    """Records each command as an event with its person."""

    def __init__(self, settings: Settings) -> None:
        self._database = Database(settings.database)

    async def add(self, viewer: Viewer, commands: Commands) -> None:
        """Commit the event; the command is carried out afterwards."""
        async with self._database.session() as session:
            payload = payloads.DataCommandSent(commands=commands.names, jobs=commands.jobs)
            await record_event(session, payload, actor_id=viewer.user_id)

    async def close(self) -> None:
        """Close the connections to the database."""
        await self._database.close()
