"""The command line as a process: output and exit codes."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import typer.main

from api.imports.pabulib import parse_election
from cli.main import _EXIT_CODES, app
from tests.factories.elections import changed, without
from tests.factories.shells import ROOT, Shell

if TYPE_CHECKING:
    from collections.abc import Iterator

ELECTIONS = ROOT / "tests" / "imports" / "elections"


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.fixture(scope="module")
def imported(ideamint: Shell, admin_url: str) -> str:
    """Slug of an election in the installation, whose server keeps running so that commands need not start it."""
    done = ideamint("import", "pabulib", str(ELECTIONS / "cumulative.pb"), "--json")
    assert done.code == 0, done.err
    return str(done.json["imported"][0]["slug"])


@pytest.fixture(scope="module")
def admin_url(ideamint: Shell) -> str:
    """URL of the running server with the administrator's log-in."""
    assert ideamint("db", "start").code == 0
    return ideamint("db", "url").out.strip()


class TestHelp:
    def test_has_every_command(self) -> None:
        assert {" ".join(path) for path in COMMANDS} == {
            *("db start", "db stop", "db url", "db migrate", "db reset"),
            *("events status", "events retry", "events skip", "events replay", "events forget"),
            *(
                "up",
                "worker",
                "demo",
                "import pabulib",
                "refresh",
                "export pabulib",
                "report",
                "verify",
                "ledger export",
                "user create",
            ),
        }

    @pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
    def test_explains_the_command_and_each_option(self, path: tuple[str, ...]) -> None:
        command = COMMANDS[path]

        assert len(command.help) > 60
        assert [parameter.name for parameter in command.params if not getattr(parameter, "help", "")] == []

    @pytest.mark.parametrize("path", [path for path in COMMANDS if path not in {("up",), ("worker",)}], ids=" ".join)
    def test_every_command_with_a_result_prints_json(self, path: tuple[str, ...]) -> None:
        assert "--json" in [option for parameter in COMMANDS[path].params for option in parameter.opts]

    def test_imports_no_heavy_modules(self) -> None:
        program = "import sys, cli.main; print(*sys.modules)"
        loaded = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.split()

        assert {"sqlalchemy", "fastapi", "pydantic", "dagster", "duckdb", "psycopg", "dbt"} & set(loaded) == set()


class TestExitCodes:
    @pytest.mark.parametrize("name", _EXIT_CODES)
    def test_refer_to_existing_errors(self, name: str) -> None:
        module, _, error = name.rpartition(".")

        found = getattr(importlib.import_module(module), error)
        assert issubclass(found, Exception)
        # errors are found by the module that defines them, not by one that imports them
        assert found.__module__ == module


class TestSettings:
    def test_an_invalid_one_gives_one_message_and_exit_code_2(self, ideamint: Shell) -> None:
        done = ideamint("verify", settings={"IDEAMINT_API_PORT": "eighty"})

        assert done.code == 2
        assert "IDEAMINT_API_PORT" in done.err
        assert done.out == ""

    def test_an_unreachable_server_is_too(self, ideamint: Shell) -> None:
        done = ideamint("verify", settings={"IDEAMINT_DATABASE_URL": "postgresql://a:b@127.0.0.1:1/mint"})

        assert done.code == 2
        assert "IDEAMINT_DATABASE_URL: cannot connect to postgresql://127.0.0.1:1/mint" in done.err

    def test_wrong_use_is_exit_code_2(self, ideamint: Shell) -> None:
        assert ideamint("db", "url", "--role", "king").code == 2
        assert ideamint("report").code == 2


class TestDb:
    def test_a_server_started_by_command_stays_and_others_stop(self, ideamint: Shell) -> None:
        assert ideamint("db", "stop", "--json").json["stopped"] in (True, False)
        assert ideamint("db", "migrate", "--json").json["revision"] == newest_revision()
        assert ideamint("db", "url").code == 1

        assert ideamint("db", "start").code == 0
        assert ideamint("verify").code == 0
        with psycopg.connect(ideamint("db", "url", "--role", "reader", "--json").json["url"]) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("ideamint_reader",)

        assert ideamint("db", "stop", "--json").json == {"stopped": True}
        assert ideamint("db", "stop", "--json").json == {"stopped": False}


class TestImport:
    def test_prints_the_result_and_changes_nothing_the_second_time(self, ideamint: Shell, imported: str) -> None:
        again = ideamint("import", "pabulib", str(ELECTIONS / "cumulative.pb"))

        assert again.code == 0
        assert f"cumulative.pb: unchanged as {imported}" in again.out

    def test_refuses_invalid_files_and_imports_the_others(self, ideamint: Shell, tmp_path: Path) -> None:
        cut = tmp_path / "cut.pb"
        cut.write_text("META\nkey;value\n")

        done = ideamint("import", "pabulib", str(cut), "/no/such.pb", str(ELECTIONS / "approval.pb"), "--json")

        assert done.code == 1
        assert [each["file_name"] for each in done.json["imported"]] == ["approval.pb"]
        assert [each["file"] for each in done.json["refused"]] == [str(cut), "/no/such.pb"]
        assert re.search(r"cut\.pb: line \d+: ", done.err)
        assert "/no/such.pb: No such file or directory" in done.err

    def test_supplies_what_a_file_leaves_out_and_lists_irregular_ballots(
        self, ideamint: Shell, imported: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "bare.pb"
        raw = without((ELECTIONS / "ordinal.pb").read_bytes(), "country", "date_begin", "date_end")
        file.write_bytes(changed(raw, "min_length;1", "min_length;3"))

        done = ideamint("import", "pabulib", str(file), "--country", "Estonia", "--date", "2019-05-31")
        refused = ideamint("import", "pabulib", str(file), "--country", "Esto\nnia")

        assert done.code == 0, done.err
        assert "bare.pb: imported as estonia-lipnica-kamionka-2018" in done.out
        assert "bare.pb: 2 ballots violate a limit and are imported, as in the published totals" in done.out
        assert re.search(r"line \d+: the ballot of voter 65 has a number of projects of 2", done.out)
        assert refused.code == 2
        assert "single line" in refused.err


class TestExportPabulib:
    def test_writes_an_election_with_the_same_totals(self, ideamint: Shell, imported: str, tmp_path: Path) -> None:
        out = tmp_path / "new" / "again.pb"

        done = ideamint("export", "pabulib", imported, "--out", str(out), "--json")

        assert done.code == 0, done.err
        original = parse_election((ELECTIONS / "cumulative.pb").read_bytes(), "cumulative.pb")
        assert done.json == {
            "file": str(out),
            "bytes": out.stat().st_size,
            "slug": imported,
            "ideas": 3,
            "ballots": 5,
            "coins": original.coins.total(),
        }
        assert parse_election(out.read_bytes(), "again.pb").coins == original.coins

    def test_refuses_an_unknown_campaign(self, ideamint: Shell, imported: str, tmp_path: Path) -> None:
        done = ideamint("export", "pabulib", "nowhere", "--out", str(tmp_path / "none.pb"))

        assert done.code == 1
        assert "There is no campaign 'nowhere'" in done.err
        assert not (tmp_path / "none.pb").exists()


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


class TestUserCreate:
    def test_creates_a_user_who_can_log_in(self, ideamint: Shell, admin_url: str) -> None:
        given = ("--role", "system_admin", "--permission", "create_campaign", "--password-file", "-")
        arguments = ("user", "create", "Head@Example.org", *given)
        done = ideamint(*arguments, given="seven lanterns over the canal\n")

        assert done.code == 0, done.err
        with psycopg.connect(admin_url) as connection:
            row = connection.execute(
                "SELECT password_hash LIKE '$argon2id$%', roles, permissions FROM app.users"
                " WHERE lower(email) = 'head@example.org'"
            ).fetchone()
        assert row == (True, ["system_admin"], ["create_campaign"])
        assert "seven lanterns" not in done.out + done.err

        again = ideamint(*arguments, given="seven lanterns over the canal\n")
        assert again.code == 1

    def test_refuses_a_short_password_and_unknown_roles_and_permissions(self, ideamint: Shell) -> None:
        short = ideamint("user", "create", "a@example.org", "--password-file", "-", given="short\n")
        assert short.code == 1
        for unknown in (("--role", "king"), ("--permission", "manage_members")):
            assert ideamint("user", "create", "a@example.org", *unknown, "--password-file", "-").code == 2


class TestDemo:
    def test_is_refused_in_production(self, ideamint: Shell) -> None:
        secrets = {f"IDEAMINT_{name}": "x" * 32 for name in ("JWT_SECRET", "APP_PASSWORD", "DBT_PASSWORD")}
        secrets |= {f"IDEAMINT_{name}": "x" * 32 for name in ("READER_PASSWORD", "DAGSTER_PASSWORD")}

        done = ideamint("demo", settings={"IDEAMINT_ENV": "production", **secrets})

        assert done.code == 1
        assert "production" in done.err


class TestDataPlatform:
    def test_refuses_a_report_and_an_export_without_a_build(self, ideamint: Shell) -> None:
        report = ideamint("report", "--campaign", "x", "--format", "pdf", "--out", str(ideamint.data_dir / "x.pdf"))
        assert report.code == 1
        assert "`ideamint refresh` publishes them" in report.err
        export = ideamint("export")
        assert export.code == 1
        assert "`ideamint refresh` builds and publishes" in export.err


def newest_revision() -> int | None:
    from api.migrations import revisions

    return revisions.needed().revision
