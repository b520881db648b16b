"""The environment of the processes of an installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import settings as configuration
from cli.local.services import child_environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class TestChildEnvironment:
    def test_has_the_database_of_a_url_in_a_file_without_its_log_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "url").write_text("postgresql://admin:secret@db.example.org/mint\n")
        monkeypatch.setenv("IDEAMINT_DATABASE_URL_FILE", str(tmp_path / "url"))
        parent = configuration.load(env_file=None, data_dir=tmp_path / "data")
        for name, value in child_environment(parent).items():
            monkeypatch.setenv(name, value)
        child = configuration.load(env_file=None)
        assert str(child.database.url) == "postgresql://db.example.org/mint"
        assert child.paths.data_dir == parent.paths.data_dir
