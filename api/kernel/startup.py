"""The start of a process: it waits for its database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import structlog

if TYPE_CHECKING:
    from settings.database import DatabaseSettings

log = structlog.get_logger(__name__)

PAUSE_S = 0.5
CONNECT_S = 5
PROGRESS_S = 5.0


class DatabaseMissing(Exception):
    """The database did not accept a log-in in time; the message has the last reason."""


def wait_for_database(settings: DatabaseSettings) -> None:
    """Return once the database accepts a log-in of the application; the log states every 5 s what is waited for.

    Raises:
        DatabaseMissing: it did not within `wait_s` seconds.
        SettingsError: no server or no password is known.
    """
    url = settings.role_url("app")
    started = time.monotonic()
    said_at = -PROGRESS_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=CONNECT_S).close()
        except psycopg.OperationalError as error:
            waited_s = time.monotonic() - started
            reason = " ".join(str(error).split())
            if waited_s >= settings.wait_s:
                msg = f"the database accepted no log-in within {settings.wait_s} s: {reason}"
                raise DatabaseMissing(msg) from None
            if waited_s >= said_at + PROGRESS_S:
                said_at = waited_s
                log.warning(
                    "waiting for the database", waited_s=round(waited_s), gives_up_after_s=settings.wait_s, error=reason
                )
            time.sleep(PAUSE_S)
        else:
            return
