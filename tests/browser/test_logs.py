"""The logs of a whole installation have no address and no password of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import psycopg
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Installation

pytestmark = pytest.mark.browser


def log_files(folder: Path) -> list[Path]:
    """What the processes of the installation print, and the logs of PostgreSQL and Dagster."""
    return [file for file in folder.rglob("*") if file.is_file() and (file.suffix == ".log" or "logs" in file.parts)]


def test_no_log_names_a_person(installation: Installation) -> None:
    login = installation.logins["member"]
    address = login["email"]
    with httpx2.Client(base_url=f"{installation.api_url}/api/v1", trust_env=False) as client:
        wrong = client.post("/auth/login", json={"email": address, "password": "a wrong password"})
        assert wrong.status_code == httpx2.codes.UNAUTHORIZED
        # PostgreSQL reports the value of a key that exists
        taken = {"email": address, "password": "gentle-forest-81-copper", "display_name": "Somebody Else"}
        assert client.post("/auth/register", json=taken).status_code == httpx2.codes.ACCEPTED
    with psycopg.connect(installation.admin_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO app.users (email, display_name) VALUES (%s, 'Somebody Else')", [address])

    files = log_files(installation.data_dir / "data")  # `up` itself prints the log-ins of the demo on the terminal
    assert {"postgres.log", "api.log", "dashboards.log"} <= {file.name for file in files}
    printed = {file: file.read_text(errors="replace") for file in files}
    assert any(printed.values())
    persons = [row["email"] for row in installation.rows("SELECT email FROM app.users WHERE email IS NOT NULL")]
    secrets = [*persons, *(each["password"] for each in installation.logins.values()), "gentle-forest-81-copper"]
    assert [(file.name, secret) for file, text in printed.items() for secret in secrets if secret in text] == []
