"""Compares durable allocations per second of this version with those of an earlier commit, by turns on one machine.

    python -m benchmarks.compare COMMIT [--pairs 5] [--rounds 4] [--seconds 3] [--json]

Both versions run at once, each with a PostgreSQL server, an API and a worker of its own, and one of them is under load at a
time. Each round measures first one, then the other, so that what else the machine does concerns both; the first round warms
up and does not count. The rates of one pair of servers can differ by some per cent in all its rounds even if the versions
are equal, so several pairs are started, one after the other. The ratio of a pair is the median rate of this version divided
by that of the commit, and `ratio` is the median of all pairs, between `ratio_min` and `ratio_max`. `cpu_us` is the
processor time of the API for one request, in microseconds, which varies less than the rate. COMMIT has to have
`benchmarks.ledgers` (f395a05 or later), whose environment is this one.
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


def compare(commit: str, pairs: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Rates, processor time and ratio of both versions, as medians over `pairs` of servers with `rounds` each.

    Raises:
        CommitMissing: the history does not contain the commit.
    """
    from benchmarks import commits  # not with `--side`, whose `benchmarks` are those of the other version

    measured: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="ideamint-compare-") as name:
        folder = Path(name)
        commits.unpack(commit, folder)
        for number in range(1, pairs + 1):
            found = measure_pair(
                {"earlier": folder, "this": commits.ROOT}, rounds, seconds, is_reversed=number % 2 == 0
            )
            measured.append(found)
            rates = f"{found['earlier_per_s']:,.0f} and {found['this_per_s']:,.0f} per s"
            sys.stderr.write(f"pair {number} of {pairs}: {rates}, ratio {found['ratio']:.3f}\n")
    ratios = [each["ratio"] for each in measured]
    return {
        **{
            name: round(statistics.median(each[name] for each in measured))
            for name in ("earlier_per_s", "earlier_cpu_us", "this_per_s", "this_cpu_us")
        },
        "ratio": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
    }


def measure_pair(folders: dict[str, Path], rounds: int, seconds: float, *, is_reversed: bool) -> dict[str, float]:
    """Start a server of each version, measure them by turns, and stop them; `is_reversed` is the order of both."""
    with ExitStack() as stack:
        sides: dict[str, Side] = {}
        for name in sorted(folders, reverse=is_reversed):
            sides[name] = start(folders[name])
            # closes the pipes, which ends the process, and waits for it
            stack.callback(sides[name].process.__exit__, None, None, None)
        for number in range(rounds + 1):
            for side in sides.values():
                measured = side.measure(seconds)
                if number:
                    side.per_s.append(measured["per_s"])
                    side.cpu_us.append(measured["cpu_us"])
    figures = {f"{name}_per_s": statistics.median(side.per_s) for name, side in sides.items()}
    figures |= {f"{name}_cpu_us": statistics.median(side.cpu_us) for name, side in sides.items()}
    return figures | {"ratio": figures["this_per_s"] / figures["earlier_per_s"]}


def main() -> None:
    """Run the benchmark."""
    from benchmarks import commits, ledgers

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="the earlier commit")
    parser.add_argument("--pairs", type=int, default=5, help="number of pairs of servers")
    parser.add_argument("--rounds", type=int, default=4, help="number of measurements of each server")
    parser.add_argument("--seconds", type=float, default=3, help="length of each of them")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    try:
        figures = compare(arguments.commit, arguments.pairs, arguments.rounds, arguments.seconds)
    except commits.CommitMissing as error:
        sys.exit(f"{arguments.commit} is not in the history of this clone: {error}")
    ledgers.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    serve() if sys.argv[1:] == [SIDE] else main()
