"""Check the coverage of a test run against the floors of each area: `python -m tests.coverage_floors report.json`.

The report is that of `coverage json`. Floors are shares of statements and of branches, from 0 to 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Floor:
    """The least coverage of the files under a folder."""

    folder: str
    statements: float
    branches: float


FLOORS = (
    Floor("api/", statements=0.9, branches=0.9),
    Floor("pipelines/", statements=0.9, branches=0.9),
    Floor("api/coins/", statements=0.95, branches=0.9),
)


def share(summaries: list[dict[str, int]], covered: str, total: str) -> float:
    """Share of what is covered over several files; 1 where there is nothing to cover."""
    all_of_them = sum(summary[total] for summary in summaries)
    return sum(summary[covered] for summary in summaries) / all_of_them if all_of_them else 1.0


def check(files: dict[str, Any], floor: Floor) -> list[str]:
    """What is below a floor, a line each.

    Raises:
        ValueError: the report has no file in the folder, so that nothing was measured.
    """
    inside = {name: report for name, report in files.items() if name.startswith(floor.folder)}
    if not inside:
        msg = f"the coverage report has no file in {floor.folder}"
        raise ValueError(msg)
    summaries = [report["summary"] for report in inside.values()]
    statements = share(summaries, "covered_lines", "num_statements")
    branches = share(summaries, "covered_branches", "num_branches")
    print(f"{floor.folder:<12} {statements:7.2%} of statements, {branches:7.2%} of branches")  # noqa: T201 - its result
    found = []
    if statements < floor.statements:
        found.append(f"{floor.folder}: {statements:.2%} of statements are covered, not {floor.statements:.0%}")
    if branches < floor.branches:
        found.append(f"{floor.folder}: {branches:.2%} of branches are covered, not {floor.branches:.0%}")
        if floor.branches == 1:
            found += [
                f"  {name}: line {line} never goes to {f'line {target}' if target > 0 else 'the exit'}"
                for name, report in inside.items()
                for line, target in report["missing_branches"]
            ]
    return found


def main() -> int:
    """Print the coverage of each area; the exit code is 1 if one is below its floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    files = json.loads(parser.parse_args().report.read_text())["files"]
    found = [line for floor in FLOORS for line in check(files, floor)]
    print(*found, sep="\n", file=sys.stderr, end="\n" if found else "")  # noqa: T201 - its result
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
