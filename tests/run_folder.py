"""The folder of a test run: made before the workers start, removed with every server in it after the last has ended.

It is in memory where there is enough, since PostgreSQL copies a database of 600 files for each test that needs its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from filelock import FileLock

import settings as configuration
from tests.selection import left_out

if TYPE_CHECKING:
    from collections.abc import Iterator

ELECTIONS_VARIABLE = "IDEAMINT_TEST_ELECTIONS"
RUN_DIR = pytest.StashKey[Path]()
CARETAKER = pytest.StashKey["subprocess.Popen[bytes]"]()
MEMORY = Path("/dev/shm")  # noqa: S108 - the folder that is made in it has a random name
MEMORY_BYTES_MIN = 4 * 2**30  # twice what a run without deep tests writes

# Runs until the other end of its stdin closes, and so cleans up even after a run that was killed.
CARE = """
import contextlib, os, shutil, signal, sys
from pathlib import Path
sys.stdin.read()
for pid_file in Path(sys.argv[1]).glob("*/redis.pid"):
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
data_dir = Path(sys.argv[1]) / "data"
if (data_dir / "postgres" / "postmaster.pid").exists():
    import settings
    from cli.local import postgres
    postgres.stop(settings.load(env_file=None, env="test", data_dir=data_dir))
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


class RunFolder:
    """Passes the folder of the run to the workers of xdist."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: pytest.Item) -> None:
        node.workerinput["run_dir"] = str(node.config.stash[RUN_DIR])  # type: ignore[attr-defined]


def pytest_configure(config: pytest.Config) -> None:
    # Tests do not depend on the settings in the developer's environment or .env.
    for name in [name for name in os.environ if name.startswith(configuration.PREFIX) and name != ELECTIONS_VARIABLE]:
        del os.environ[name]
    if hasattr(config, "workerinput"):
        config.stash[RUN_DIR] = Path(config.workerinput["run_dir"])
    else:
        config.stash[RUN_DIR] = Path(tempfile.mkdtemp(prefix="ideamint-test-", dir=parent_folder(config)))
        config.stash[CARETAKER] = subprocess.Popen(
            [sys.executable, "-c", CARE, config.stash[RUN_DIR]],
            stdin=subprocess.PIPE,
            cwd=config.rootpath,
            start_new_session=True,
        )
        # PostgreSQL does not run as root: the account that it runs as needs to enter the folder.
        config.stash[RUN_DIR].chmod(0o711)
        config.pluginmanager.register(RunFolder())


def parent_folder(config: pytest.Config) -> Path:
    """The folder in memory for runs without deep tests, which write much more; otherwise that of temporary files."""
    if left_out(config) and "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK | os.X_OK):
        free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
        if free >= MEMORY_BYTES_MIN:
            return MEMORY
    return Path(tempfile.gettempdir())


def pytest_unconfigure(config: pytest.Config) -> None:
    if CARETAKER in config.stash:
        config.stash[CARETAKER].communicate()


@contextmanager
def exclusive(run_dir: Path, what: str) -> Iterator[None]:
    """Hold a lock that the workers of a run share."""
    with FileLock(run_dir / f"{what}.lock"):
        yield
