"""The state of the schema that this code needs, and the upgrade and downgrade of a database with Alembic."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import psycopg
import stamina
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from api.kernel.schema import SchemaState
from api.migrations import routines
from settings import SettingsError

TRIES = 200
TIMEOUT_S = 300.0


def _is_lock_refused(error: Exception) -> bool:
    """Whether a version waited too long for a lock, or with another transaction for each other."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected)


def needed() -> SchemaState:
    """The newest revision, and the hashes of the routines in the files."""
    (head,) = ScriptDirectory.from_config(_config()).get_heads()
    return SchemaState(int(head), routines.hashes(int(head)))


def upgrade(url: str, found: int | None, revision: str = "head") -> None:
    """Run the versions after the revision `found` up to another, each with the routines in its own transaction.

    A version that does not get its locks within half a second, because other processes use its tables, is rolled back and
    tried again, so that they never wait for longer. Without pending versions, only the routines are applied. `url` has a log-in that may act as ideamint_owner. The
    caller holds the lock of migrations.

    Raises:
        SettingsError: other transactions kept the tables of a version locked for five minutes.
    """
    config = _config(url)
    scripts = ScriptDirectory.from_config(config)
    pending = [
        script.revision for script in scripts.iterate_revisions(revision, "base" if found is None else str(found))
    ]
    for number in reversed(pending) if pending else [str(found)]:
        config.attributes["upgrade_to"] = int(number)
        try:
            _upgrade(config, number)
        except (DBAPIError, psycopg.Error) as error:
            if not _is_lock_refused(error):
                raise
            msg = f"version {number} of the schema got no lock for {TIMEOUT_S:.0f} s: end long transactions, and migrate again"
            raise SettingsError(msg) from error


@stamina.retry(on=_is_lock_refused, attempts=TRIES, timeout=TIMEOUT_S, wait_initial=0.1, wait_max=1.0, wait_jitter=0.5)
def _upgrade(config: Config, number: str) -> None:
    command.upgrade(config, number)


def downgrade(url: str, revision: str) -> None:
    """Undo the versions down to a revision, or `base`, and apply the routines whose tables exist at that revision.

    The routines are those of this code. All versions are undone in one transaction.
    """
    command.downgrade(_config(url), revision)


def _config(url: str = "") -> Config:
    """Alembic's configuration. There is no alembic.ini, so that it works in any current directory."""
    config = Config()
    config.set_main_option("script_location", "api:migrations")
    config.attributes["url"] = urlunsplit(urlsplit(url)._replace(scheme="postgresql+psycopg"))
    config.attributes["upgrade_to"] = None
    return config
