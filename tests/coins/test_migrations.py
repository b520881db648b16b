"""Revisions of the ledger, up, down and up again on a database that holds movements."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from pydantic import PostgresDsn

from cli.local import databases, postgres
from tests.factories.ledgers import WATERMARK_TIMEOUT_S

if TYPE_CHECKING:
    from alembic.config import Config

    from settings import Settings

REVISION = "0008"
DEFINITIONS = """
    SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proacl::text FROM pg_proc AS p
    WHERE p.pronamespace = 'app'::regnamespace ORDER BY 1
"""
COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
    WHERE table_schema = 'app' ORDER BY 1, 2
"""


@pytest.fixture
def url(server: Settings, worker: str) -> str:
    """A database of its own, without a schema."""
    admin_url = databases.with_database(postgres.admin_url(server), f"migrations_{worker}_{uuid4().hex[:8]}")
    settings = server.with_(database_url=PostgresDsn(databases.without_login(admin_url)))
    databases.prepare(admin_url, settings)
    return admin_url


@pytest.fixture
def config(url: str) -> Config:
    config = databases.alembic_config()
    config.attributes["url"] = urlunsplit(urlsplit(url)._replace(scheme="postgresql+psycopg"))
    return config


def rows(connection: psycopg.Connection, query: str) -> list[Any]:
    return connection.execute(query.encode()).fetchall()


def play(connection: psycopg.Connection) -> UUID:
    """Members who put coins down and took some back, before a fold and after it."""
    campaign_id, idea = uuid4(), uuid4()
    members = [uuid4() for _ in range(3)]
    connection.execute("SELECT app.coins_open_ledger(%s, '{}', NULL)", (campaign_id,))
    connection.execute("SELECT app.coins_grant(%s, %s, NULL, '2026-03-01 12:00Z')", (campaign_id, members))
    connection.execute("SELECT app.coins_open_targets(%s, %s, ARRAY[NULL]::uuid[])", (campaign_id, [idea]))
    for n, at in enumerate(("2026-03-01 23:59Z", "2026-03-02 00:01Z", None)):
        connection.execute(
            "SELECT * FROM app.coins_move(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], ARRAY[5, 2]::bigint[], "
            "ARRAY[NULL, NULL]::text[], ARRAY[NULL, NULL]::bytea[], ARRAY[NULL, NULL]::text[], NULL, %s)",
            ([campaign_id] * 2, [members[n]] * 2, [None, idea], [idea, None], at),
        )
        connection.commit()
        if n == 1:
            fold_all(connection)
    return campaign_id


def fold_all(connection: psycopg.Connection) -> None:
    """Fold what is committed. Another test's transaction on the same server may hold the watermark back for a while."""
    ((until,),) = rows(connection, "SELECT pg_current_xact_id()::text::bigint")
    connection.commit()
    give_up_at = time.monotonic() + WATERMARK_TIMEOUT_S
    while True:
        connection.execute("SELECT app.coins_fold()")
        ((folded,),) = rows(connection, "SELECT folded_xid::text::bigint FROM app.coin_folds")
        connection.commit()
        if folded > until:
            return
        assert time.monotonic() < give_up_at, "somebody holds a transaction open on this server"
        time.sleep(0.02)


def test_days_before_are_folded_and_the_way_back_restores_what_was(url: str, config: Config) -> None:
    before = ScriptDirectory.from_config(config).get_revision(REVISION).down_revision
    assert isinstance(before, str)
    command.upgrade(config, before)
    with psycopg.connect(url) as connection:
        definitions, columns = rows(connection, DEFINITIONS), rows(connection, COLUMNS)
        campaign_id = play(connection)

    command.upgrade(config, REVISION)
    with psycopg.connect(url) as connection:
        assert connection.execute(
            "SELECT holds.wrong_totals + holds.wrong_balances, holds.staked_coins FROM app.coins_verify(%s) AS holds",
            (campaign_id,),
        ).fetchone() == (0, 9)
        days = connection.execute(
            "SELECT flowed_on::text, kind, coins, transfers FROM app.coin_flows_daily "
            "WHERE campaign_id = %s AND flowed_on < '2026-04-01'",
            (campaign_id,),
        ).fetchall()
        assert set(days) == {
            ("2026-03-01", "grant", 300, 3), ("2026-03-01", "allocate", 5, 1), ("2026-03-01", "take_back", 2, 1),
            ("2026-03-02", "allocate", 5, 1), ("2026-03-02", "take_back", 2, 1),
        }  # fmt: skip
        (audience,) = connection.execute("SELECT DISTINCT stakes_visible_to FROM app.coin_policies").fetchall()
        assert audience == ("self",)

    command.downgrade(config, before)
    with psycopg.connect(url) as connection:
        assert rows(connection, DEFINITIONS) == definitions
        assert rows(connection, COLUMNS) == columns
        play(connection)

    command.upgrade(config, "head")
    with psycopg.connect(url) as connection:
        assert rows(connection, "SELECT sum(wrong_totals + wrong_balances) FROM app.coins_verify()") == [(0,)]


def test_functions_that_were_replaced_come_back_as_they_were(url: str, config: Config) -> None:
    command.upgrade(config, "0008")
    with psycopg.connect(url) as connection:
        definitions = rows(connection, DEFINITIONS)
    command.upgrade(config, "0009")
    with psycopg.connect(url) as connection:
        assert rows(connection, DEFINITIONS) != definitions
    command.downgrade(config, "0008")
    with psycopg.connect(url) as connection:
        assert rows(connection, DEFINITIONS) == definitions


def test_the_way_back_is_refused_while_a_policy_shows_stakes(url: str, config: Config) -> None:
    command.upgrade(config, REVISION)
    with psycopg.connect(url) as connection:
        connection.execute("""SELECT app.coins_open_ledger(app.uuid7(), '{"stakes_visible_to": "members"}', NULL)""")
    before = ScriptDirectory.from_config(config).get_revision(REVISION).down_revision
    assert isinstance(before, str)
    with pytest.raises(Exception, match="says who may see stakes"):
        command.downgrade(config, before)
