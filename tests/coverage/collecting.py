"""Measures which lines and branches of the product run, in the process that executes this file.

`make coverage` sets COVERAGE_START to the path of this file and COVERAGE_DIR to a folder; a `.pth` file in the environment
then executes it at the start of every Python process that inherits both, before the product is imported. SlipCover instruments the bytecode
of the product's modules alone, so that other packages run at full speed: a tracer makes the tests of dbt, Great Expectations
and Streamlit take twice as long. A process writes its results to COVERAGE_DIR when it ends; one that is killed by SIGKILL
writes none.
"""

from __future__ import annotations

import ast
import atexit
import json
import os
import signal
import sys
import threading
import uuid
from pathlib import Path
from types import CodeType, FrameType

import slipcover
from slipcover import branch, importer

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [str(ROOT / name) for name in ("api", "cli", "dashboards", "orchestration", "pipelines", "settings")]
EXCLUDED = ["@overload"]


class Loader(importer.SlipcoverLoader):  # type: ignore[misc] # SlipCover has no types
    """SlipCover's loader, which also instruments the module that `python -m` runs."""

    def get_code(self, name: str) -> CodeType:
        source = branch.preinstrument(ast.parse(self.origin.read_bytes()))
        code: CodeType = self.sci.instrument(compile(source, str(self.origin), "exec"))
        return code


class Measured:
    """The measurement of this process; `write` may be called several times, and replaces what was written before."""

    def __init__(self, folder: Path) -> None:
        """Instrument the modules of the product that are imported from now on."""
        self.folder = folder
        self._find_path()
        os.register_at_fork(after_in_child=self._find_path)
        self.slipcover = slipcover.Slipcover(branch=True, exclude_also=EXCLUDED)
        sources = slipcover.FileMatcher(sources=SOURCES)
        importer.SlipcoverLoader = Loader
        importer.ImportManager(self.slipcover, sources).__enter__()
        slipcover.wrap_spec_from_file_location(self.slipcover, sources)  # Alembic loads versions by file

    def _find_path(self) -> None:
        self.path = self.folder / f"{uuid.uuid4().hex}.json"

    def write(self) -> None:
        """Write what ran until now, if the process has imported a module of the product."""
        result = self.slipcover.get_coverage()
        if not result["files"]:
            return
        # SlipCover names files relative to the working directory, which differs between processes
        result["files"] = {
            str(Path(name).resolve().relative_to(ROOT)): found for name, found in result["files"].items()
        }
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(result))
        part.rename(self.path)


def start(folder: Path) -> Measured:
    """Measure this process until it ends."""
    measured = Measured(folder)

    def end(number: int, _: FrameType | None) -> None:
        measured.write()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    atexit.register(measured.write)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)
    return measured


if __name__ == "<run_path>" and sys.version_info[:2] == (3, 11):
    # for tests/conftest.py: the workers of pytest-xdist may be killed before they end
    sys.modules["measured"] = start(Path(os.environ["COVERAGE_DIR"]))  # type: ignore[assignment]
