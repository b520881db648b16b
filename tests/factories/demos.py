"""The demo as a template: created once in a run and copied by the tests that need it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cli.demo.run import make_demo
from cli.local.installation import with_database
from tests.factories.warehouse import create_database
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
            settings = create_database(server, TEMPLATE)
            with_database(settings, lambda database: make_demo(database, today=TODAY))
            created.touch()
    return TEMPLATE
