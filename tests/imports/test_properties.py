"""Properties of all files, tested with generated files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.imports.cells import known
from api.imports.elections import Election
from api.imports.errors import MalformedElection
from api.imports.pabulib import parse_election
from api.kernel.texts import joined_lines, normalise
from tests.factories.elections import KINDS, election_file, write_election

# a possible value of a cell: normalised, stripped, and not a word for "unknown"
TEXTS = (
    st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n"), min_size=1, max_size=40)
    .map(normalise)
    .filter(lambda value: value and value.casefold() not in {"none", "null", "nan", "meta", "projects", "votes"})
)
IDS = st.text("abcdefgh0123456789-_.", min_size=1, max_size=6)


@dataclass
class Written:
    """An election and its file."""

    meta: dict[str, str]
    projects: dict[str, dict[str, Any]]
    ballots: dict[str, list[tuple[str, int]]]

    def raw(self) -> bytes:
        named = Counter(ref for ballot in self.ballots.values() for ref, _ in ballot)
        score: Counter[str] = Counter()
        for ballot in self.ballots.values():
            for ref, points in ballot:
                score[ref] += points
        projects = [
            {
                "project_id": ref,
                "cost": f"{p['cents'] / 100:.2f}",
                "name": p["name"],
                "votes": str(named[ref]),
                "score": str(score[ref]),
            }
            for ref, p in self.projects.items()
        ]
        votes = [
            {
                "voter_id": voter,
                "vote": ",".join(ref for ref, _ in ballot),
                "points": ",".join(str(points) for _, points in ballot),
                "district": self.meta["unit"],
            }
            for voter, ballot in self.ballots.items()
        ]
        return write_election(self.meta, projects, votes)


@st.composite
def elections(draw: st.DrawFn) -> Written:
    projects = draw(
        st.dictionaries(
            IDS, st.fixed_dictionaries({"name": TEXTS, "cents": st.integers(0, 10**9)}), min_size=1, max_size=6
        )
    )
    named = st.tuples(st.sampled_from(sorted(projects)), st.integers(0, 50))
    ballots = draw(st.dictionaries(IDS, st.lists(named, min_size=1, max_size=5), min_size=1, max_size=8))
    meta = {
        "description": draw(TEXTS),
        "country": "Poland",
        "unit": draw(TEXTS),
        "instance": draw(TEXTS),
        "num_projects": str(len(projects)),
        "num_votes": str(len(ballots)),
        "budget": str(draw(st.integers(0, 10**9))),
        "vote_type": draw(st.sampled_from(["cumulative", "scoring"])),
        "date_begin": "6.09.2019",
        "date_end": "25.09.2019",
        "max_length": "5",
    }
    return Written(meta, projects, ballots)


class TestRoundTrip:
    @settings(deadline=None)  # duration is not tested
    @given(elections())
    def test_a_written_election_is_read_back(self, written: Written) -> None:
        election = parse_election(written.raw(), "town.pb")
        assert election.meta == written.meta
        assert {p.ref: (p.title, int((p.cost or 0) * 100)) for p in election.projects} == {
            ref: (joined_lines(p["name"]), p["cents"]) for ref, p in written.projects.items()
        }
        assert {b.voter_ref: list(b.named) for b in election.ballots} == written.ballots
        assert all(ballot.attributes == {"district": joined_lines(written.meta["unit"])} for ballot in election.ballots)

    @settings(deadline=None)  # duration is not tested
    @given(elections())
    def test_allocations_are_positive_and_sum_to_the_ballot(self, written: Written) -> None:
        election = parse_election(written.raw(), "town.pb")
        for ballot in election.ballots:
            assert all(coins > 0 for coins in ballot.allocations.values())
            assert sum(ballot.allocations.values()) == sum(coins for _, coins in ballot.named)
            assert sum(ballot.allocations.values()) <= election.coins_per_member


class TestAnything:
    """Any bytes are an election with correct totals, or are refused with a line of the file."""

    @settings(deadline=None)  # duration is not tested
    @given(st.binary(max_size=300))
    @example(b"META\n")
    @example(b"META\nkey;value\nPROJECTS\nproject_id;cost\nVOTES\nvoter_id;vote\n")
    def test_bytes(self, raw: bytes) -> None:
        self.check(raw)

    @settings(deadline=None)  # duration is not tested
    @given(st.sampled_from(KINDS), st.data())
    def test_a_file_with_some_bytes_changed(self, kind: str, data: st.DataObject) -> None:
        raw = bytearray(election_file(kind))
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(raw) - 1))
            raw[at : at + data.draw(st.integers(0, 3))] = data.draw(
                st.sampled_from([b"", b";", b",", b'"', b"\n", b"0", b"-", b"\xb3"])
            )
        self.check(bytes(raw))

    @settings(deadline=None)  # duration is not tested
    @given(st.sampled_from(KINDS), st.data())
    def test_a_truncated_file(self, kind: str, data: st.DataObject) -> None:
        raw = election_file(kind)
        self.check(raw[: data.draw(st.integers(0, len(raw)))])

    @staticmethod
    def check(raw: bytes) -> None:
        election, refused = parsed(raw)
        if refused is not None:
            lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
            assert refused.faults
            assert all(1 <= fault.line <= lines and fault.reason and fault.expected for fault in refused.faults)
        if election is not None:
            assert known(election.meta.get("num_votes", "")) in {None, str(len(election.ballots))}
            for project in election.projects:
                assert project.votes in {None, election.times_named[project.ref]}
                assert project.score in {None, election.coins[project.ref]}


def parsed(raw: bytes) -> tuple[Election | None, MalformedElection | None]:
    """The election or the error."""
    try:
        return parse_election(raw, "town.pb"), None
    except MalformedElection as refused:
        return None, refused
