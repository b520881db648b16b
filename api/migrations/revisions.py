"""The state of the schema that this code needs, and runs of Alembic that bring a database to it or back."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from api.kernel.schema import SchemaState
from api.migrations import routines


def needed() -> SchemaState:
    """The newest revision, and the routines of the files."""
    (head,) = ScriptDirectory.from_config(_config()).get_heads()
    return SchemaState(int(head), routines.hashes(int(head)))


def upgrade(url: str, found: int | None, revision: str = "head") -> None:
    """Run the versions after the revision `found` up to another, each with the routines in a transaction of its own.

    Without pending versions the routines are applied. `url` has a log-in that may act as ideamint_owner. The caller holds the
    lock of migrations.
    """
    config = _config(url)
    scripts = ScriptDirectory.from_config(config)
    pending = [
        script.revision for script in scripts.iterate_revisions(revision, "base" if found is None else str(found))
    ]
    for number in reversed(pending) if pending else [str(found)]:
        config.attributes["upgrade_to"] = int(number)
        command.upgrade(config, number)


def downgrade(url: str, revision: str) -> None:
    """Undo the versions down to a revision, or `base`, and apply the routines that its tables can have.

    The routines are those of this code. All versions are undone in one transaction, or none.
    """
    command.downgrade(_config(url), revision)


def _config(url: str = "") -> Config:
    """Alembic's configuration. There is no alembic.ini, so that it works from any folder."""
    config = Config()
    config.set_main_option("script_location", "api:migrations")
    config.attributes["url"] = urlunsplit(urlsplit(url)._replace(scheme="postgresql+psycopg"))
    config.attributes["upgrade_to"] = None
    return config
