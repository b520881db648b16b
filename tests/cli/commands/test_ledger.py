"""Verification and export of ledgers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.factories.shells import Shell


class TestVerify:
    def test_names_the_campaign_whose_coins_do_not_add_up(self, ideamint: Shell, imported: str, admin_url: str) -> None:
        whole = ideamint("verify", "--json")
        assert whole.code == 0
        assert whole.json["broken"] == []
        assert imported in [each["campaign"] for each in whole.json["campaigns"]]

        with psycopg.connect(admin_url) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "UPDATE app.coin_accounts SET balance_coins = balance_coins + 1 WHERE id = ("
                "SELECT a.id FROM app.coin_accounts AS a JOIN app.campaigns AS c ON c.id = a.campaign_id "
                "WHERE c.slug = %s AND a.kind = 'wallet' LIMIT 1)",
                (imported,),
            )
        broken = ideamint("verify")

        assert broken.code == 1
        assert f"coins are not conserved in: {imported}" in broken.err
        with psycopg.connect(admin_url) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "UPDATE app.coin_accounts SET balance_coins = balance_coins - 1 WHERE id = ("
                "SELECT a.id FROM app.coin_accounts AS a JOIN app.campaigns AS c ON c.id = a.campaign_id "
                "WHERE c.slug = %s AND a.kind = 'wallet' LIMIT 1)",
                (imported,),
            )

    def test_of_one_campaign_checks_a_given_head(self, ideamint: Shell, imported: str, tmp_path: Path) -> None:
        head = exported_head(ideamint, imported, tmp_path / "ledger.jsonl")
        whole = ideamint("verify", "--campaign", imported, "--head", head, "--json")
        assert whole.code == 0, whole.err
        (campaign,) = whole.json["campaigns"]
        assert (campaign["campaign"], campaign["holds"], campaign["chain"]["has_kept_head"]) == (imported, True, True)

        other = ideamint("verify", "--campaign", imported, "--head", f"1:{'ab' * 32}")
        assert other.code == 1
        assert "DOES NOT CONTAIN the given head" in other.out
        assert f"sealed transfers were changed: {imported}" in other.err

    @pytest.mark.parametrize(
        "arguments",
        [("--head", f"1:{'0' * 64}"), ("--campaign", "x", "--head", "1"), ("--campaign", "x", "--head", "")],
    )
    def test_refuses_an_invalid_head_and_one_without_a_campaign(
        self, ideamint: Shell, arguments: tuple[str, ...]
    ) -> None:
        done = ideamint("verify", *arguments)
        assert (done.code, done.out) == (2, "")
        assert "--head" in done.err

    def test_names_the_transfer_that_was_altered(
        self, ideamint: Shell, imported: str, admin_url: str, tmp_path: Path
    ) -> None:
        exported_head(ideamint, imported, tmp_path / "ledger.jsonl")
        change = (
            "UPDATE app.coin_transfers SET recorded_at = recorded_at + %s * interval '1 us' WHERE id = (SELECT min(t.id::text)::uuid "
            "FROM app.coin_transfers AS t JOIN app.campaigns AS c ON c.id = t.campaign_id WHERE c.slug = %s) RETURNING id"
        )
        with psycopg.connect(admin_url) as connection:
            connection.execute("SET session_replication_role = replica")
            row = connection.execute(change, (1, imported)).fetchone()
        broken = ideamint("verify", "--campaign", imported)
        with psycopg.connect(admin_url) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(change, (-1, imported))
        assert row is not None
        assert broken.code == 1
        assert re.search(rf"block \d+, position \d+, transfer {row[0]}: it is not what was sealed", broken.out)
        assert f"sealed transfers were changed: {imported}" in broken.err
        assert "not conserved" not in broken.err

    def test_lists_the_campaigns_if_the_given_one_is_unknown(self, ideamint: Shell, imported: str) -> None:
        for command in (("verify", "--campaign", "nowhere"), ("ledger", "export", "nowhere", "--out", "-")):
            done = ideamint(*command)
            assert (done.code, done.out) == (1, "")
            assert imported in done.err


def exported_head(ideamint: Shell, slug: str, out: Path) -> str:
    """Head of a new export, in the format of --head."""
    done = ideamint("ledger", "export", slug, "--out", str(out), "--json")
    assert done.code == 0, done.err
    return f"{done.json['height']}:{done.json['hash']}"


class TestLedgerExport:
    def test_writes_a_file_or_the_standard_output(self, ideamint: Shell, imported: str, tmp_path: Path) -> None:
        out = tmp_path / "new" / "ledger.jsonl"
        done = ideamint("ledger", "export", imported, "--out", str(out), "--json")
        assert done.code == 0, done.err
        assert "exporting" in done.err
        lines = out.read_text(encoding="utf-8").splitlines()
        assert done.json["bytes"] == out.stat().st_size
        assert done.json["sealed_transfers"] == len(lines) - 1 - done.json["height"] > 0
        assert list(out.parent.iterdir()) == [out]

        piped = ideamint("ledger", "export", imported, "--out", "-")
        assert piped.code == 0, piped.err
        assert piped.out.splitlines() == lines
        assert f"head {done.json['height']}:{done.json['hash']}" in piped.err
        assert ideamint("ledger", "export", imported, "--out", "-", "--json").code == 2

    def test_leaves_no_partial_file(self, ideamint: Shell, imported: str, tmp_path: Path) -> None:
        taken = tmp_path / "folder"
        (taken / "kept").mkdir(parents=True)
        done = ideamint("ledger", "export", imported, "--out", str(taken))
        assert done.code == 1
        assert [path.name for path in tmp_path.iterdir()] == ["folder"]
