"""Installations of a test's own, whose servers it may break."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import settings as configuration
from cli.local import postgres
from tests.run_folder import RUN_DIR, exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings


@contextmanager
def made_installation(copied: Path | None = None) -> Iterator[Settings]:
    """Settings of a new data folder, or of a copy of one; its server is stopped at the end.

    Not under tmp_path, which other users may not enter, as the server of a run by root must.
    """
    with tempfile.TemporaryDirectory(prefix="ideamint-test-") as folder:
        Path(folder).chmod(0o711)
        data_dir = Path(folder) / "data"
        if copied:
            subprocess.run(["cp", "-a", copied, data_dir], check=True)  # keeps the owner of the server's files
        settings = configuration.load(env_file=None, env="test", data_dir=data_dir)
        yield settings
        postgres.stop(settings)


@pytest.fixture
def new_installation() -> Iterator[Settings]:
    """An installation before its first start."""
    with made_installation() as settings:
        yield settings


@pytest.fixture(scope="session")
def started_once(request: pytest.FixtureRequest) -> Path:
    """A data folder whose server was started and stopped, made once in a run: initdb takes longer than most tests."""
    run_dir = request.config.stash[RUN_DIR]
    data_dir = run_dir / "started-once" / "data"
    with exclusive(run_dir, "started-once"):
        if not (data_dir / "complete").exists():
            data_dir.parent.mkdir(mode=0o711)
            settings = configuration.load(env_file=None, env="test", data_dir=data_dir)
            postgres.ensure(settings)
            postgres.stop(settings)
            (data_dir / "postgres.json").unlink()  # copies do not prefer the same port
            (data_dir / "complete").touch()
    return data_dir


@pytest.fixture
def installation(started_once: Path) -> Iterator[Settings]:
    """An installation whose server was started and stopped before; a copy."""
    with made_installation(started_once) as settings:
        yield settings
