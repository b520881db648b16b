"""The embedded server, with real processes and folders."""

from __future__ import annotations

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psutil
import psycopg
import pytest
from pydantic import PostgresDsn

import settings as configuration
from cli.local import databases, postgres
from settings import Settings, SettingsError
from tests.factories.clocks import until


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, connect_timeout=10)


def value(url: str, query: str) -> object:
    with connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def postmaster_pid(settings: Settings) -> int:
    return int((settings.paths.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


class TestEnsure:
    def test_every_role_logs_in_to_its_database_and_none_is_superuser(self, new_installation: Settings) -> None:
        settings = postgres.ensure(new_installation)

        for role in ("app", "dbt", "reader"):
            assert value(settings.database.role_url(role), "SELECT current_user") == f"ideamint_{role}"
            assert value(settings.database.role_url(role), "SHOW is_superuser") == "off"
        dagster = settings.database.role_url("dagster", settings.database.dagster_name)
        assert value(dagster, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()") == (
            "ideamint_dagster"
        )

    def test_refuses_a_missing_password_and_a_role_without_rights(self, installation: Settings) -> None:
        settings = postgres.ensure(installation)
        url = str(settings.database.url)

        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            connect(url.replace("://", "://postgres@"))
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(url.replace("://", "://ideamint_app:wrong@"))
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(settings.database.role_url("dagster"))
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(settings.database.role_url("app", settings.database.dagster_name))

    def test_only_dbt_may_create_schemas(self, installation: Settings) -> None:
        settings = postgres.ensure(installation)

        with connect(settings.database.role_url("dbt")) as connection:
            connection.execute("CREATE SCHEMA marts")
        for role in ("app", "reader"):
            with (
                connect(settings.database.role_url(role)) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute("CREATE SCHEMA mine")

    def test_the_url_for_child_processes_has_no_login(self, installation: Settings) -> None:
        assert "@" not in str(postgres.ensure(installation).database.url)

    def test_concurrent_calls_start_one_server(self, new_installation: Settings) -> None:
        with ThreadPoolExecutor(6) as pool:
            urls = {str(settings.database.url) for settings in pool.map(postgres.ensure, [new_installation] * 6)}

        assert len(urls) == 1
        folder = f"{new_installation.paths.data_dir}/postgres"
        found = [
            process.info
            for process in psutil.process_iter(["pid", "ppid", "cmdline"])
            if folder in (process.info["cmdline"] or [])
        ]
        # a child has the command line of its server until it sets its own
        servers = [info for info in found if info["ppid"] not in {each["pid"] for each in found}]
        assert len(servers) == 1

    def test_keeps_port_and_data_over_a_restart(self, installation: Settings) -> None:
        first = postgres.ensure(installation)
        with connect(postgres.admin_url(first)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        postgres.stop(installation)

        second = postgres.ensure(installation)

        assert second.database.url == first.database.url
        assert value(postgres.admin_url(second), "SELECT n FROM kept") == 7

    def test_uses_another_port_if_its_own_is_taken(self, installation: Settings) -> None:
        port = PostgresDsn(str(postgres.ensure(installation).database.url)).hosts()[0]["port"]
        postgres.stop(installation)
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((postgres.HOST, port))
            taken.listen()

            again = postgres.ensure(installation)

            assert value(postgres.admin_url(again), "SELECT inet_server_port()") != port

    def test_recovers_after_its_postmaster_was_killed(self, installation: Settings) -> None:
        settings = postgres.ensure(installation)
        with connect(postgres.admin_url(settings)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
            os.kill(postmaster_pid(installation), signal.SIGKILL)

            again = postgres.ensure(installation)

        assert value(postgres.admin_url(again), "SELECT n FROM kept") == 7

    def test_ends_busy_orphans_of_a_killed_postmaster(self, installation: Settings) -> None:
        url = postgres.admin_url(postgres.ensure(installation))
        with connect(url) as busy, ThreadPoolExecutor(1) as pool:
            # busy for hours without noticing the death of its postmaster
            counting = pool.submit(busy.execute, "SELECT count(*) FROM generate_series(1, 1000000000000)")
            at_work = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {busy.info.backend_pid} AND state = 'active'"
            until(lambda: value(url, at_work) == 1, pause_s=0.01)
            os.kill(postmaster_pid(installation), signal.SIGKILL)

            again = postgres.ensure(installation)

            with pytest.raises(psycopg.OperationalError):
                counting.result()
        assert value(postgres.admin_url(again), "SELECT 1") == 1

    def test_waits_for_a_server_that_recovers_from_the_death_of_a_backend(self, installation: Settings) -> None:
        first = postgres.ensure(installation)
        log = installation.paths.data_dir / "logs" / "postgres.log"
        for deaths in range(1, 4):
            with connect(postgres.admin_url(first)) as connection:
                os.kill(connection.info.backend_pid, signal.SIGKILL)
                until(lambda deaths=deaths: log.read_text().count("was terminated by signal 9") == deaths, pause_s=0.01)  # type: ignore[misc]

                assert postgres.ensure(installation).database.url == first.database.url

    def test_ignores_a_process_with_the_old_id(self, installation: Settings) -> None:
        postgres.ensure(installation)
        pid_file = installation.paths.data_dir / "postgres" / "postmaster.pid"
        written = pid_file.read_text()
        postgres.stop(installation)
        pid_file.write_text(written.replace(written.splitlines()[0], str(os.getpid()), 1))
        pid_file.chmod(0o644)

        assert not postgres.is_running(installation)
        assert value(postgres.admin_url(postgres.ensure(installation)), "SELECT 1") == 1

    def test_sets_a_password_that_changed_in_the_settings(self, installation: Settings) -> None:
        postgres.ensure(installation)
        changed = configuration.load(
            env_file=None, env="test", data_dir=installation.paths.data_dir, app_password="of somebody's choice: /@?"
        )

        settings = postgres.ensure(changed)

        assert value(settings.database.role_url("app"), "SELECT current_user") == "ideamint_app"

    def test_refuses_data_of_another_version_with_the_remedy(self, installation: Settings) -> None:
        postgres.ensure(installation)
        postgres.stop(installation)
        (installation.paths.data_dir / "postgres" / "PG_VERSION").write_text("15\n")

        with pytest.raises(postgres.ServerError, match=r"created by PostgreSQL 15.*move the folder away: mv "):
            postgres.ensure(installation)

        (installation.paths.data_dir / "postgres" / "PG_VERSION").write_text("18\n")

    def test_refuses_a_folder_with_other_content(self, new_installation: Settings) -> None:
        (new_installation.paths.data_dir / "postgres").mkdir(parents=True)
        (new_installation.paths.data_dir / "postgres" / "letter.txt").write_text("dear")

        with pytest.raises(postgres.ServerError, match="contains no PostgreSQL"):
            postgres.ensure(new_installation)


class TestEnsureWithOwnServer:
    """An external server: here the embedded one, used through its URL."""

    def test_prepares_an_empty_server_without_superuser(self, installation: Settings) -> None:
        root = postgres.admin_url(postgres.ensure(installation))
        with connect(root) as connection:
            connection.execute("CREATE ROLE site LOGIN CREATEDB CREATEROLE PASSWORD 'p'")
            for name in ("dbt", "app", "reader", "dagster"):
                connection.execute(f"DROP OWNED BY ideamint_{name}")
            connection.execute("DROP DATABASE dagster")
        with connect(databases.with_database(root, "postgres")) as connection:
            connection.execute("DROP DATABASE ideamint")
            for name in ("dbt", "app", "reader", "dagster", "owner"):
                connection.execute(f"DROP ROLE ideamint_{name}")
        host = root.rpartition("@")[2].partition("/")[0]
        settings = installation.with_(database_url=PostgresDsn(f"postgresql://site:p@{host}/mint"))

        postgres.ensure(settings)
        postgres.ensure(settings)

        assert value(settings.database.role_url("app"), "SELECT current_database()") == "mint"
        with connect(postgres.admin_url(settings)) as connection:
            connection.execute("SET ROLE ideamint_owner")
            connection.execute("CREATE SCHEMA app")

    def test_names_the_missing_rights_of_the_login(self, installation: Settings) -> None:
        root = postgres.admin_url(postgres.ensure(installation))
        with connect(root) as connection:
            connection.execute("CREATE ROLE weak LOGIN PASSWORD 'p'")
        url = databases.with_database(root, "postgres").replace(root.split("@")[0], "postgresql://weak:p")
        settings = installation.with_(database_url=PostgresDsn(url))

        with pytest.raises(SettingsError, match="CREATEROLE and CREATEDB"):
            postgres.ensure(settings)

    def test_names_the_unreachable_address(self, installation: Settings) -> None:
        with socket.socket() as free:
            free.bind((postgres.HOST, 0))
            url = f"postgresql://site:secret@{postgres.HOST}:{free.getsockname()[1]}/mint"
        settings = installation.with_(database_url=PostgresDsn(url))

        with pytest.raises(SettingsError, match="IDEAMINT_DATABASE_URL: cannot connect") as refusal:
            postgres.ensure(settings)
        assert "secret" not in str(refusal.value)


class TestIsBehind:
    def test_until_the_newest_revision_is_applied(self, installation: Settings) -> None:
        running = postgres.ensure(installation, keep=True)
        assert postgres.is_behind(running)
        postgres.migrate(running)
        assert not postgres.is_behind(running)
        with connect(postgres.admin_url(running)) as connection:
            connection.execute("UPDATE app.alembic_version SET version_num = '1001'")
        assert postgres.is_behind(running)


class TestRunning:
    def test_the_last_user_stops_the_server(self, installation: Settings) -> None:
        with ExitStack() as second:
            with postgres.running(installation):
                second.enter_context(postgres.running(installation))
            assert postgres.is_running(installation)

        assert not postgres.is_running(installation)

    def test_a_kept_server_stays(self, installation: Settings) -> None:
        postgres.ensure(installation, keep=True)

        with postgres.running(installation):
            pass

        assert postgres.is_running(installation)
        assert postgres.stop(installation)
        assert not postgres.stop(installation)


class TestAdminUrl:
    def test_is_refused_for_a_url_without_login(self, installation: Settings) -> None:
        settings = installation.with_(database_url=PostgresDsn("postgresql://db.example/mint"))

        with pytest.raises(SettingsError, match="contains no user and password"):
            postgres.admin_url(settings)
