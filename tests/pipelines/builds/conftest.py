"""A database in which models are built by hand, with the statements that dbt runs around a model."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import jinja2
import psycopg
import pytest

from pipelines.warehouse import PROJECT_DIR
from tests.factories.warehouse import database_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings


def macro(name: str, mart: str = "") -> bytes:
    """A macro of the dbt project, rendered for a mart."""
    source = (PROJECT_DIR / "macros" / "builds.sql").read_text()
    template = jinja2.Environment(autoescape=False).from_string(source + "{{ " + name + "() }}")  # noqa: S701 - SQL
    return template.render(this={"identifier": mart}).encode()


@contextmanager
def model(url: str, build_id: int | str, mart: str) -> Iterator[psycopg.Connection]:
    """The transaction in which dbt builds a mart, as a process of this build; it is committed when the block ends."""
    with psycopg.connect(url, options=f"-c ideamint.build_id={build_id}", application_name="dbt") as connection:
        connection.execute(macro("confirm_build"))
        yield connection
        connection.execute(macro("record_mart", mart))


@pytest.fixture(scope="session")
def warehouse_url(server: Settings, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database_of_its_own(server, f"builds_{worker}", tmp_path_factory.mktemp("builds")) as settings:
        yield settings.database.role_url("dbt")


@pytest.fixture
def url(warehouse_url: str) -> str:
    """Log-in of dbt to a database without builds."""
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS builds CASCADE")
    return warehouse_url
