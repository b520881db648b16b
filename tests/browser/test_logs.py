"""The logs of a whole installation have no address, no password and no token of a person."""

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
        logged_in = client.post("/auth/login", json={"email": address, "password": login["password"]}).json()
        headers = {"Authorization": f"Bearer {logged_in['access_token']}"}
        body = {"name": "a script", "scopes": ["own:read"]}
        token = client.post("/users/me/tokens", json=body, headers=headers).json()["token"]
        as_token = {"Authorization": f"Bearer {token}"}
        assert client.get("/users/me", headers=as_token).status_code == httpx2.codes.OK
        assert client.get("/users", headers=as_token).status_code == httpx2.codes.FORBIDDEN
    with psycopg.connect(installation.admin_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO app.users (email, display_name) VALUES (%s, 'Somebody Else')", [address])

    files = log_files(installation.data_dir / "data")  # `up` itself prints the log-ins of the demo on the terminal
    assert {"postgres.log", "api.log", "dashboards.log"} <= {file.name for file in files}
    printed = {file: file.read_text(errors="replace") for file in files}
    assert any(printed.values())
    persons = [row["email"] for row in installation.rows("SELECT email FROM app.users WHERE email IS NOT NULL")]
    secrets = [
        *persons, *(each["password"] for each in installation.logins.values()), "gentle-forest-81-copper", token,
        logged_in["access_token"], logged_in["refresh_token"],
    ]  # fmt: skip
    assert [(file.name, secret) for file, text in printed.items() for secret in secrets if secret in text] == []
