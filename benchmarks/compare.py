"""Compares durable allocations per second of this version with those of an earlier commit, by turns on one machine.

    python -m benchmarks.compare COMMIT [--rounds 8] [--seconds 3] [--json]

Both versions run at once, each with a PostgreSQL server, an API and a worker of its own, and one of them is under load at a
time. Each round measures first one, then the other, so that what else the machine does concerns both. `ratio` is the median
rate of this version divided by that of the commit; `cpu_us` is the processor time of the API for one request, in microseconds,
which varies less than the rate. The first round warms up and does not count. COMMIT has to have `benchmarks.ledgers`
(f395a05 or later), whose environment is this one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

SIDE = "--side"


@dataclass
class Side:
    """One version in a process of its own, and its measurements."""

    process: subprocess.Popen[str]
    per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def measure(self, seconds: float) -> dict[str, float]:
        """The figures of one load of `seconds`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            msg = "a version ended; its messages are above"
            raise RuntimeError(msg)
        measured: dict[str, float] = json.loads(line)
        return measured


def serve() -> None:
    """Run the version whose folder is in PYTHONPATH: a line of input with a number of seconds is answered by figures."""
    from benchmarks import allocate, http_load, ledgers

    with ledgers.installation() as (settings, folder):
        ledgers.seed(settings)
        with ledgers.api(settings) as port:
            (api,) = [child for child in psutil.Process().children(recursive=True) if str(port) in child.cmdline()]
            for line in sys.stdin:
                before = sum(api.cpu_times()[:2])
                plan = ledgers.plan(settings, port, float(line), ideas=allocate.ALL_IDEAS)
                load = http_load.run(plan, folder)
                assert set(load.statuses) == {201}, f"not every allocation succeeded: {load.statuses}"
                cpu_s = sum(api.cpu_times()[:2]) - before
                figures = {"per_s": load.per_s, "cpu_us": cpu_s / sum(load.statuses.values()) * 1e6}
                sys.stdout.write(json.dumps(figures) + "\n")
                sys.stdout.flush()


def start(folder: Path) -> Side:
    """Start the version in a folder."""
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__)), SIDE],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Side(process)


def compare(commit: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Medians over `rounds` of both versions, and their ratio.

    Raises:
        CommitMissing: the history does not contain the commit.
    """
    from benchmarks import commits  # not with `--side`, whose `benchmarks` are those of the other version

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ideamint-compare-")))
        commits.unpack(commit, folder)
        sides = {"earlier": start(folder), "this": start(commits.ROOT)}
        for side in sides.values():
            # closes the pipes, which ends the process, and waits for it
            stack.callback(side.process.__exit__, None, None, None)
        for number in range(rounds + 1):
            for name, side in sides.items():
                measured = side.measure(seconds)
                if number:
                    side.per_s.append(measured["per_s"])
                    side.cpu_us.append(measured["cpu_us"])
                    sys.stderr.write(f"round {number} of {rounds}, {name}: {measured['per_s']:,.0f} per s\n")
    figures: dict[str, Any] = {}
    for name, side in sides.items():
        figures |= {
            f"{name}_per_s": round(statistics.median(side.per_s)),
            f"{name}_cpu_us": round(statistics.median(side.cpu_us)),
        }
    return figures | {"ratio": round(figures["this_per_s"] / figures["earlier_per_s"], 3)}


def main() -> None:
    """Run the benchmark."""
    from benchmarks import commits, ledgers

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="the earlier commit")
    parser.add_argument("--rounds", type=int, default=8, help="number of measurements of each version")
    parser.add_argument("--seconds", type=float, default=3, help="length of each of them")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    try:
        figures = compare(arguments.commit, arguments.rounds, arguments.seconds)
    except commits.CommitMissing as error:
        sys.exit(f"{arguments.commit} is not in the history of this clone: {error}")
    ledgers.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    serve() if sys.argv[1:] == [SIDE] else main()
