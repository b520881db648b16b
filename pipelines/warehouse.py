"""Runs dbt: parse, build, freshness.

Each call starts a process, because dbt keeps its configuration in globals and reads its log-in from the environment.
Artifacts are written under the data folder, not next to the sources.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

PROJECT_DIR = Path(__file__).resolve().parents[1] / "dbt_project"
MARTS_SCHEMA = "marts"
CONSERVATION_TEST = "conservation_holds"
PASSWORD_VARIABLE = "DBT_ENV_SECRET_IDEAMINT_WAREHOUSE_PASSWORD"  # noqa: S105 - a name; dbt hides the value of such variables in logs

BUILD = ("build", "--exclude-resource-type", "unit_test")

_INTERRUPT_TIMEOUT_S = 10.0
_RESULTS = frozenset({"LogModelResult", "LogTestResult", "LogSeedResult", "LogUnitTestResult", "LogNodeResult"})

Advance = Callable[[int, int], None]


class BuildFailed(Exception):
    """dbt did not build everything; `failures` has a message for each model or test that failed."""

    def __init__(self, failures: Sequence[str], *, conservation_broke: bool = False) -> None:
        """The message has a line for each failure."""
        self.failures = tuple(failures)
        self.conservation_broke = conservation_broke
        super().__init__("\n".join(failures))


@dataclass(frozen=True)
class BuildResult:
    """The result of a build: numbers of models and tests, dbt's warnings, and wall time."""

    models: int
    tests: int
    warnings: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class SourceAge:
    """When a table of the core was last written to; `is_quiet` if that is longer ago than its freshness limit."""

    source: str
    written_at: datetime | None
    is_quiet: bool


def environment(url: str, build_id: int | None = None) -> dict[str, str]:
    """The environment variables of dbt's profile for the log-in in a libpq URL.

    Each connection of dbt has the build's id as the setting `ideamint.build_id`. The models are built only with the id of
    the running build.
    """
    login = conninfo_to_dict(url)
    options = [os.environ.get("PGOPTIONS", "")] + ([f"-c ideamint.build_id={build_id}"] if build_id is not None else [])
    return {
        "IDEAMINT_WAREHOUSE_HOST": str(login.get("host", "localhost")),
        "IDEAMINT_WAREHOUSE_PORT": str(login.get("port", "5432")),
        "IDEAMINT_WAREHOUSE_USER": str(login["user"]),
        PASSWORD_VARIABLE: str(login.get("password", "")),
        "IDEAMINT_WAREHOUSE_DATABASE": str(login["dbname"]),
        "IDEAMINT_WAREHOUSE_SSLMODE": str(login.get("sslmode", "prefer")),
        "PGOPTIONS": " ".join(filter(None, options)),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def parse(state_dir: Path) -> Path:
    """Write the project's manifest to `state_dir`/manifest.json and return its path; needs no database.

    The file is replaced atomically.

    Raises:
        BuildFailed: the project has an error.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".parse-", dir=state_dir) as folder:
        _run(["parse"], {}, Path(folder), None)
        return (Path(folder) / "target" / "manifest.json").replace(state_dir / "manifest.json")


def marts() -> tuple[str, ...]:
    """Names of the mart tables that the project builds, in alphabetical order: one file each."""
    return tuple(sorted(path.stem for path in (PROJECT_DIR / "models" / "marts").glob("*.sql")))


def build(
    url: str,
    state_dir: Path,
    build_id: int,
    *,
    as_of: datetime | None = None,
    unit_tests: bool = False,
    progress: Advance | None = None,
) -> BuildResult:
    """Build every model and test its data.

    Args:
        url: libpq URL of a log-in as ideamint_dbt.
        state_dir: folder for dbt's artifacts and logs.
        build_id: id of the running build (`pipelines.builds`).
        as_of: the moment that the models treat as now; by default the start of the build.
        unit_tests: also run the unit tests. The daily build skips them, since they test the project and not the data.
        progress: called with the number of finished nodes and the number of all nodes.

    Raises:
        BuildFailed: a model could not be built or a test failed.
    """
    started_at = time.monotonic()
    arguments = list(BUILD) if not unit_tests else ["build"]
    if as_of is not None:
        arguments += ["--vars", json.dumps({"as_of": as_of.astimezone(UTC).isoformat()})]
    # a killed dbt leaves none, and an old one must not be read as this build's
    (state_dir / "target" / "run_results.json").unlink(missing_ok=True)
    warnings = _run(arguments, environment(url, build_id), state_dir, progress)
    results = json.loads((state_dir / "target" / "run_results.json").read_text())["results"]
    kinds = [str(result["unique_id"]).partition(".")[0] for result in results]
    return BuildResult(
        models=kinds.count("model"),
        tests=kinds.count("test") + kinds.count("unit_test"),
        warnings=warnings,
        seconds=time.monotonic() - started_at,
    )


def freshness(url: str, state_dir: Path) -> tuple[SourceAge, ...]:
    """The age of the newest rows of each source. An old source is reported and is not an error.

    Raises:
        BuildFailed: a source could not be read.
    """
    _run(["source", "freshness"], environment(url), state_dir, None)
    results = json.loads((state_dir / "target" / "sources.json").read_text())["results"]
    return tuple(
        SourceAge(
            source=".".join(str(result["unique_id"]).split(".")[-2:]),
            # dbt reports the year 1 for a table without rows
            written_at=None
            if result["max_loaded_at"].startswith("0001")
            else datetime.fromisoformat(result["max_loaded_at"]),
            is_quiet=result["status"] != "pass",
        )
        for result in sorted(results, key=lambda result: str(result["unique_id"]))
    )


def failed_models(target: Path) -> list[str]:
    """A message for each model and seed that a build with this target folder could not build."""
    try:
        results = json.loads((target / "run_results.json").read_text())["results"]
    except FileNotFoundError:  # dbt writes it at its end
        return []
    return [
        f"{str(result['unique_id']).rpartition('.')[2]}: {' '.join(str(result['message']).split())}"
        for result in results
        if result["status"] == "error" and str(result["unique_id"]).startswith(("model.", "seed."))
    ]


def describe_exit(code: int) -> str:
    """The exit of a dbt process in words; a negative code is the signal that killed it."""
    return f"dbt was killed (signal {signal.Signals(-code).name})" if code < 0 else f"dbt exited with status {code}"


def _run(
    arguments: Sequence[str], variables: Mapping[str, str], state_dir: Path, progress: Advance | None
) -> tuple[str, ...]:
    """Run dbt, report its progress, and return its warnings."""
    state_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "dbt.cli.main", "--log-format", "json", "--no-use-colors", *arguments]
    command += ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)]
    command += ["--target-path", str(state_dir / "target"), "--log-path", str(state_dir / "logs")]
    log = _Log(progress)
    child = subprocess.Popen(
        command,
        env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with _output_lines(child) as lines:
        for line in lines:
            log.read(line)
        code = child.wait()
    if code != 0:
        failures = log.failures or log.last_lines
        if code < 0 or not failures:
            failures = [describe_exit(code), *failures]
        raise BuildFailed(failures, conservation_broke=log.conservation_broke)
    return tuple(log.warnings)


@contextmanager
def _output_lines(child: subprocess.Popen[str]) -> Iterator[Iterator[str]]:
    """The lines of the child's output. After an exception in the block, the process and its queries are stopped."""
    with child:
        assert child.stdout is not None
        try:
            yield iter(child.stdout)
        except BaseException:
            child.send_signal(signal.SIGINT)  # makes dbt cancel its queries
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_INTERRUPT_TIMEOUT_S)
            child.kill()
            raise


class _Log:
    """The parsed log of dbt: its progress, warnings and failures."""

    def __init__(self, progress: Advance | None) -> None:
        self.progress = progress
        self.done = 0
        self.warnings: list[str] = []
        self.failures: list[str] = []
        self.last_lines: list[str] = []
        self.conservation_broke = False

    def read(self, line: str) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
            info: dict[str, Any] = event["info"]
        except (ValueError, KeyError, TypeError):
            # not a log event, but a traceback or a warning of the interpreter
            self.last_lines = [*self.last_lines[-19:], line.rstrip()]
            return
        message = re.sub(r"\x1b\[[0-9;]*m", "", str(info.get("msg", ""))).strip()
        data: dict[str, Any] = event.get("data", {})
        if info.get("name") in _RESULTS:
            self._count(data)
        elif info.get("level") == "warn":
            self.warnings.append(message)
        elif info.get("level") == "error" and message:
            self.failures.append(message)

    def _count(self, data: dict[str, Any]) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, int(data.get("total", data.get("num_models", 0))) or self.done)
        node = str(data.get("node_info", {}).get("unique_id", ""))
        if CONSERVATION_TEST in node and data.get("status") in {"fail", "error"}:
            self.conservation_broke = True
