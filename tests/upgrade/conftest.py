"""The last release: its files, and a database that it migrated."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import PostgresDsn

from cli.local import databases, postgres
from tests.upgrade.releases import CURRENT, ROOT, Release, find_last_release, is_cut_off, run_python, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

MIGRATE = "import sys; from cli.local import databases; print(databases.migrate(sys.argv[1]))"


@dataclass(frozen=True)
class Installation:
    """A database as the last release left it, with the files of that release."""

    release: Release
    folder: Path
    settings: Settings
    admin_url: str


@pytest.fixture(scope="module")
def installation(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A new database at the schema of the last release."""
    folder = tmp_path_factory.mktemp("release")
    release = find_last_release((ROOT / "CHANGELOG.md").read_text())
    if is_cut_off(release):
        warnings.warn(f"the shallow clone has no release {release.version}: the current commit is tested", stacklevel=1)
        release = CURRENT
    unpack(release, folder)
    assert run_python(folder, "import api; print(api.__file__)").strip() == str(folder / "api" / "__init__.py")
    name = f"upgrade_{uuid4().hex[:8]}"
    admin_url = databases.with_database(postgres.admin_url(server), name)
    data_dir = tmp_path_factory.mktemp("data")
    settings = server.with_(
        database_url=PostgresDsn(databases.without_login(admin_url)),
        data_dir=data_dir,
        dagster_database=f"{name}_dagster",
    )
    databases.prepare(admin_url, settings)
    try:
        assert run_python(folder, MIGRATE, admin_url).strip().isdigit()
        yield Installation(release, folder, settings, admin_url)
    finally:
        with psycopg.connect(databases.with_database(admin_url, "postgres"), autocommit=True) as connection:
            for database in (name, f"{name}_dagster"):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
