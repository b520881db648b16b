"""The folder of a test run: made before the workers start, removed with every server in it after the last has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

import settings as configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

ELECTIONS_VARIABLE = "IDEAMINT_TEST_ELECTIONS"
RUN_DIR = pytest.StashKey[Path]()
CARETAKER = pytest.StashKey["subprocess.Popen[bytes]"]()

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
        config.stash[RUN_DIR] = Path(tempfile.mkdtemp(prefix="ideamint-test-"))
        config.stash[CARETAKER] = subprocess.Popen(
            [sys.executable, "-c", CARE, config.stash[RUN_DIR]],
            stdin=subprocess.PIPE,
            cwd=config.rootpath,
            start_new_session=True,
        )
        # PostgreSQL does not run as root: the account that it runs as needs to enter the folder.
        config.stash[RUN_DIR].chmod(0o711)
        config.pluginmanager.register(RunFolder())


def pytest_unconfigure(config: pytest.Config) -> None:
    if CARETAKER in config.stash:
        config.stash[CARETAKER].communicate()


@contextmanager
def exclusive(run_dir: Path, what: str) -> Iterator[None]:
    """Hold a lock that the workers of a run share."""
    with FileLock(run_dir / f"{what}.lock"):
        yield
