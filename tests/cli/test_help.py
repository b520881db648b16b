"""The help of every command, and the exit codes of errors."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from cli.main import _EXIT_CODES, app
from tests.factories.shells import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


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
                "campaign import-members",
                "user create",
                "user list",
                "user invite",
                "user delete",
                "user deactivate",
                "user reactivate",
                "user log-out",
                "user reset-factors",
                "user rights",
                "user import-roster",
                "keys list",
                "keys rotate",
                "mail preview",
                "mail test",
                "audit",
                "token create",
                "token list",
                "token revoke",
                "service-account create",
                "service-account list",
                "service-account issue",
                "service-account rotate",
                "service-account deactivate",
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
