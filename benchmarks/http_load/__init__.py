"""The load generator, written in Go so that it does not limit the measurement."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class GoMissing(Exception):
    """Go is not installed, so the load generator cannot be built."""


@dataclass(frozen=True)
class Load:
    """Results of all connections; latencies in milliseconds, `cores` is the CPU use of the generator in cores."""

    elapsed_s: float
    statuses: dict[int, int]
    p50_ms: float
    p99_ms: float
    max_ms: float
    cores: float

    @property
    def per_s(self) -> float:
        """Responses with status 201 per second."""
        return self.statuses.get(201, 0) / self.elapsed_s


def start(plan: dict[str, Any], folder: Path) -> subprocess.Popen[str]:
    """Start the load of `plan` (see main.go) in the background; `folder` stores the program and the plan.

    Raises:
        GoMissing: Go is not installed.
    """
    program = _build(folder)
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", delete=False) as file:
        json.dump(plan, file)
    return subprocess.Popen([program, file.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(running: subprocess.Popen[str]) -> Load:
    """Wait for a load to end and return its results.

    Raises:
        RuntimeError: a connection failed; the message states which.
    """
    output, error = running.communicate()
    if running.returncode:
        raise RuntimeError(error.strip())
    found = json.loads(output)
    return Load(**{**found, "statuses": {int(status): count for status, count in found["statuses"].items()}})


def run(plan: dict[str, Any], folder: Path) -> Load:
    """Run the load of `plan`."""
    return finish(start(plan, folder))


def _build(folder: Path) -> Path:
    program = folder / "http_load"
    if not program.exists():
        if shutil.which("go") is None:
            msg = "The load generator is written in Go: install Go 1.19 or newer (Debian: apt-get install golang-go)."
            raise GoMissing(msg)
        subprocess.run(["go", "build", "-o", program, "."], cwd=Path(__file__).parent, check=True)
    return program
