"""No secret is stored: the rows of every table, events and jobs among them, after a journey through accounts and tokens.

`tests/browser/test_logs.py` does the same for the logs of a whole installation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from api.auth.api_tokens.secrets import new_token
from tests.auth.calls import header, log_in, new_email, refresh
from tests.auth.mailboxes import mailbox
from tests.factories.api_tokens import make_service_account
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, bearer, commit_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient

API = "/api/v1"
NEW_PASSWORD = "eleven quiet herons waiting"
WRONG_PASSWORD = "twelve loud herons leaving"


async def journey(app: FastAPI, http: AsyncClient, folder: Path) -> list[str]:
    """Registration, log-ins, links in mails, a browser, tokens and refusals; returns every secret that was used."""
    email = new_email()
    account = {"email": email, "password": PASSWORD, "display_name": "Anna"}
    key = {"Idempotency-Key": "once"}
    with mailbox(app, folder) as mails:
        assert (await http.post(f"{API}/auth/register", json=account)).status_code == 202
        link = await mails.token(email)
        body = {"token": link, "password": PASSWORD}
        assert (await http.post(f"{API}/auth/verify-email", json=body)).status_code == 204
        assert (await http.post(f"{API}/auth/forgot-password", json={"email": email})).status_code == 202
        reset = await mails.token(email)
    user = await commit_user(app, password=PASSWORD)
    assert (await log_in(http, user, WRONG_PASSWORD)).status_code == 401
    tokens = await log_in(http, user)
    refreshed = await refresh(http, tokens.json()["refresh_token"])
    assert refreshed.status_code == 200
    assert (await refresh(http, tokens.json()["refresh_token"])).status_code == 401
    again = await log_in(http, user)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    changed = await http.post(f"{API}/users/me/password", json=body, headers=header(again) | key)
    assert changed.status_code == 204, changed.text
    made = await http.post(f"{API}/users/me/tokens", json=named("own:read"), headers=header(again) | key)
    as_token = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await http.get(f"{API}/users/me", headers=as_token)).status_code == 200
    assert (await http.get(f"{API}/audit", headers=as_token)).status_code == 403
    assert (await http.patch(f"{API}/users/me", json={"display_name": "B"}, headers=as_token | key)).status_code == 403
    admin = await bearer(app, await commit_user(app, roles=["system_admin"]))
    robot = await make_service_account(app, "view_report")
    url = f"{API}/service-accounts/{robot.id}/tokens"
    issued = await http.post(url, json={"name": "a robot"}, headers=admin | key)
    rotated = await http.post(f"{url}/{issued.json()['id']}/rotate", json={}, headers=admin | key)
    assert rotated.status_code == 201, rotated.text
    return [
        PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, link, reset,
        *(each.json()[name] for each in (tokens, refreshed, again) for name in ("access_token", "refresh_token")),
        *(each.json()["token"] for each in (made, issued, rotated)),
        admin["Authorization"].removeprefix("Bearer "),
    ]  # fmt: skip


def named(*scopes: str) -> dict[str, Any]:
    return {"name": "a script", "scopes": list(scopes)}


def rows_with(admin_url: str, secrets: list[str]) -> Iterator[tuple[str, str]]:
    """The tables with a row that contains a secret, as text or as bytes, and the secret."""
    with psycopg.connect(admin_url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert {("app", "events"), ("app", "idempotent_responses"), ("jobs", "procrastinate_jobs")} <= set(tables)
        for table in tables:
            found = connection.execute(
                sql.SQL(
                    "SELECT DISTINCT s.secret FROM {} AS t, unnest(%(secrets)s::text[]) AS s (secret) "
                    "WHERE strpos(CAST(t AS text), s.secret) > 0 "
                    "OR strpos(CAST(t AS text), encode(convert_to(s.secret, 'UTF8'), 'hex')) > 0"
                ).format(sql.Identifier(*table)),
                {"secrets": secrets},
            ).fetchall()
            yield from ((".".join(table), secret) for (secret,) in found)


async def test_no_table_has_a_secret(application: FastAPI, client: AsyncClient, admin_url: str, tmp_path: Path) -> None:
    secrets = await journey(application, client, tmp_path / "mails")
    assert len(set(secrets)) == len(secrets) == 15
    assert list(rows_with(admin_url, secrets)) == []


async def test_a_secret_would_be_found_in_a_text_and_in_bytes(application: FastAPI, admin_url: str) -> None:
    secret = new_token()
    user = await commit_user(application, display_name=f"Anna {secret}")
    async with parts(application).database.session() as session:
        await session.execute(
            text(
                "INSERT INTO app.idempotent_responses (user_id, route, key, request_hash, status_code, headers, body) "
                "VALUES (:user_id, 'POST /', 'k', '', 201, '{}', convert_to(:secret, 'UTF8'))"
            ),
            {"user_id": user.id, "secret": secret},
        )
    found = set(rows_with(admin_url, [secret]))
    assert found == {("app.users", secret), ("app.idempotent_responses", secret)}
    async with parts(application).database.session() as session:
        await session.execute(text("UPDATE app.users SET display_name = 'Anna' WHERE id = :id"), {"id": user.id})
