"""The demo as a template: created once in a run and copied by the tests that need it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pydantic import PostgresDsn

from cli.demo.run import make_demo
from cli.local import databases, postgres
from cli.local.installation import with_database
from tests.factories.warehouse import copy_database
from tests.run_folder import exclusive

if TYPE_CHECKING:
    from settings import Settings

TEMPLATE = "demo_template"
TODAY = date(2026, 11, 23)


def template(server: Settings) -> str:
    """Name of the database with the demo of `TODAY`; the first worker that calls this creates it."""
    run_dir = server.paths.data_dir.parent
    created = run_dir / f"{TEMPLATE}.created"
    with exclusive(run_dir, TEMPLATE):
        if not created.exists():
            admin_url = databases.with_database(postgres.admin_url(server), TEMPLATE)
            settings = server.with_(database_url=PostgresDsn(databases.without_login(admin_url)))
            copy_database(server, postgres.DATABASE, TEMPLATE)
            databases.prepare(admin_url, settings)
            with_database(settings, lambda database: make_demo(database, today=TODAY))
            created.touch()
    return TEMPLATE
