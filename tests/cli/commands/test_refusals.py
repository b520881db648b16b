"""Wrong settings and wrong use, and what the state of the installation refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.factories.shells import Shell


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
