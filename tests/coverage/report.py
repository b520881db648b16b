"""Report what a measured test run covered, and check it against the floors of each area: `python -m tests.coverage.report FOLDER`.

FOLDER has the results of `tests/coverage/collecting.py`, one file for each process. Floors are shares of lines and of
branches, from 0 to 1. A module that no process imported counts as not covered. The exit code is 1 if an area is below its floor.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slipcover

from tests.coverage.collecting import EXCLUDED, SOURCES


@dataclass(frozen=True)
class Floor:
    """The least coverage of the files under a folder."""

    folder: str
    lines: float
    branches: float


FLOORS = (
    Floor("api/", lines=0.9, branches=0.9),
    Floor("pipelines/", lines=0.9, branches=0.9),
    Floor("api/coins/", lines=0.99, branches=1.0),
)


def merged(folder: Path) -> dict[str, Any]:
    """The results of all processes by file.

    Raises:
        ValueError: the folder has no result.
    """
    results = sorted(folder.glob("*.json"))
    if not results:
        msg = f"{folder} has no results: no process was measured"
        raise ValueError(msg)
    found: dict[str, Any] = slipcover.Slipcover(branch=True, source=SOURCES, exclude_also=EXCLUDED).get_coverage()
    for result in results:
        slipcover.merge_coverage(found, json.loads(result.read_text()))
    return found


def share(files: list[dict[str, Any]], what: str) -> float:
    """Share of the `what` ("lines" or "branches") that were executed over several files; 1 where there is none."""
    executed, missing = (sum(len(file[f"{kind}_{what}"]) for file in files) for kind in ("executed", "missing"))
    return executed / (executed + missing) if executed + missing else 1.0


def check(files: dict[str, Any], floor: Floor) -> list[str]:
    """What is below a floor, a line each.

    Raises:
        ValueError: the report has no file in the folder, so that nothing was measured.
    """
    inside = {name: file for name, file in files.items() if name.startswith(floor.folder)}
    if not inside:
        msg = f"the coverage report has no file in {floor.folder}"
        raise ValueError(msg)
    lines, branches = (share(list(inside.values()), what) for what in ("lines", "branches"))
    print(f"{floor.folder:<12} {lines:7.2%} of lines, {branches:7.2%} of branches")  # noqa: T201 - its result
    found = []
    if lines < floor.lines:
        found.append(f"{floor.folder}: {lines:.2%} of lines are covered, not {floor.lines:.0%}")
    if branches < floor.branches:
        found.append(f"{floor.folder}: {branches:.2%} of branches are covered, not {floor.branches:.0%}")
        if floor.branches == 1:
            found += [
                f"  {name}: line {line} never goes to {f'line {target}' if target > 0 else 'the exit'}"
                for name, file in sorted(inside.items())
                for line, target in file["missing_branches"]
            ]
    return found


def main() -> int:
    """Print the coverage of each file that is not covered whole, and of each area."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    found = merged(parser.parse_args().folder)
    slipcover.print_coverage(found, outfile=sys.stdout, skip_covered=True, missing_width=80)
    below = [line for floor in FLOORS for line in check(found["files"], floor)]
    print(*below, sep="\n", file=sys.stderr, end="\n" if below else "")  # noqa: T201 - its result
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
