"""Replays elections under limits of the coin policy, as the preview of a policy does, and prints a table in Markdown.

    python -m benchmarks.policies FOLDER

FOLDER has Pabulib files. For each limit: the voters whose ballots it would have capped, the share of the coins that it would have
taken, the projects that would have another place by coins, and those that would be new among the winners: the most coins first, as
long as the budget lasts. The last column is the time of one replay. Elections in which a limit caps nobody are left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from api.imports.pabulib import parse_election
from pipelines.outcomes.ballots import make_ballots
from pipelines.outcomes.greedy import select_greedily
from pipelines.outcomes.replay import Limit, Limits, replay, totals_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.imports.elections import Election

PERCENTAGES = (50, 25)


def rows(election: Election) -> Iterator[str]:
    """A row of the table for each limit."""
    ballots = {ballot.voter_ref: dict(ballot.allocations) for ballot in election.ballots if ballot.allocations}
    staked = sum(sum(ballot.values()) for ballot in ballots.values())
    grant = election.coins_per_member
    before, winners = _places(election, totals_of(ballots)), _winners(election, ballots)
    for percent in PERCENTAGES:
        started = time.perf_counter()
        most = max(grant * percent // 100, 1)
        found = replay(ballots, {}, Limits(grant, 1, most, own_ideas=True))
        after = _places(election, found.totals())
        taken_s = time.perf_counter() - started
        taken = found.taken[Limit.IDEA_MAX]
        if not taken.members:
            continue
        moved = sum(before[ref] != after[ref] for ref in before)
        new = len(_winners(election, found.ballots) - winners)
        yield (
            f"| {election.file_name.removesuffix('.pb').rstrip('_')} | {percent}%: {most} of {grant} | "
            f"{taken.members / len(ballots):.1%} | {taken.coins / staked:.1%} | {moved} of {len(before)} | "
            f"{new} of {len(winners)} | {1000 * taken_s:.0f} ms |"
        )


def _winners(election: Election, ballots: Mapping[str, Mapping[str, int]]) -> set[str]:
    projects = [project for project in election.projects if project.cost]
    number_of = {project.ref: number for number, project in enumerate(projects)}
    numbered = [
        {number_of[ref]: coins for ref, coins in ballot.items() if ref in number_of} for ballot in ballots.values()
    ]
    assert election.budget is not None, "an election without a budget has no winners"
    made = make_ballots(
        [project.cost for project in projects if project.cost], election.budget, numbered, members=len(ballots)
    )
    return {projects[number].ref for number in select_greedily(made, made.coins_of).selected}


def _places(election: Election, totals: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Places by coins; of two equal projects the earlier one in the file is before the other."""
    ordered = sorted(election.projects, key=lambda project: -totals.get(project.ref, (0, 0))[0])
    return {project.ref: place for place, project in enumerate(ordered, start=1)}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    files = sorted(parser.parse_args().folder.glob("*.pb"))
    if not files:
        parser.error("the folder has no .pb files")
    print("| election | most on one project | capped voters | coins taken | other place | new winners | time |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for path in files:
        for row in rows(parse_election(path.read_bytes(), path.name)):
            print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
