"""The state of the schema `app` in a database, compared with the state that this code needs.

Revisions are increasing numbers, so that a process can recognise a later revision without knowing it. Two versions of
the code may run side by side: a database at a later revision than this code needs is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# The revisions 0001 to 0009 were squashed into these; a database at one of them cannot be migrated.
FIRST_REVISION = 1001

REVISION = "SELECT version_num FROM app.alembic_version"
ROUTINES = "SELECT name, hash FROM app.schema_routines"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The revision of the tables, None without tables; and the hashes of the routines by name."""

    revision: int | None
    routines: Mapping[str, str]

    @property
    def is_from_before_the_squash(self) -> bool:
        """Whether the tables are of a revision that no version of this code can migrate."""
        return self.revision is not None and self.revision < FIRST_REVISION

    def missing_for(self, needed: SchemaState) -> str | None:
        """What this database lacks for code that needs the state `needed`, with the command to run; None if nothing."""
        assert needed.revision is not None
        if self.is_from_before_the_squash:
            return (
                f"the database is at revision {self.revision:04}, which this version cannot migrate: save its data "
                'with `pg_dump "$(ideamint db url)"`, then empty it with `ideamint db reset --yes`'
            )
        if self.revision is None or self.revision < needed.revision:
            found = "has no tables" if self.revision is None else f"is at revision {self.revision}"
            return f"the database {found}, this version needs revision {needed.revision}: run `ideamint db migrate`"
        return None

    def differing_routines(self, needed: SchemaState) -> list[str]:
        """Names of the routines that are not the same in both states."""
        names = self.routines.keys() | needed.routines.keys()
        return sorted(name for name in names if self.routines.get(name) != needed.routines.get(name))
