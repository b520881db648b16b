"""Parsing of valid files."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from api.imports.elections import BallotKind, Election
from api.imports.pabulib import parse_election
from tests.factories.elections import KINDS, changed, election_file, line_of


def parse(raw: bytes) -> Election:
    return parse_election(raw, "town.pb")


class TestKindsOfBallot:
    def test_an_approval_is_one_coin(self) -> None:
        election = parse(election_file("approval"))
        assert election.kind is BallotKind.APPROVAL
        assert election.ballots[3].allocations == {"BR-1": 1, "BR-2": 1, "BR-3": 1}
        assert dict(election.coins) == {"BR-1": 4, "BR-2": 3, "BR-3": 2, "BR-4": 1}

    def test_a_cumulative_ballot_is_its_points(self) -> None:
        election = parse(election_file("cumulative"))
        assert election.ballots[0].allocations == {"12": 4, "7": 2, "31": 1}
        assert dict(election.coins) == {"12": 12, "7": 9, "31": 3}

    def test_a_scoring_ballot_is_its_points(self) -> None:
        assert dict(parse(election_file("scoring")).coins) == {"lamps": 20, "sofa": 17, "games": 9}

    def test_an_ordinal_ballot_is_counted_by_borda_over_max_length(self) -> None:
        election = parse(election_file("ordinal"))
        assert election.ballots[0].allocations == {"1": 3, "2": 2, "3": 1}
        assert election.ballots[1].allocations == {"1": 3, "3": 2}

    def test_borda_runs_over_all_projects_without_a_max_length(self) -> None:
        raw = changed(election_file("ordinal"), "max_length;3\n", "")
        election = parse_election(raw, "town.pb", accept_counts=True)
        assert election.ballots[1].allocations == {"1": 4, "3": 3}

    def test_an_ordinal_ballot_is_counted_by_points_if_the_file_has_them(self) -> None:
        raw = election_file("ordinal").replace(b"voting_method", b"points")
        for refs, method, points in (
            ("1,2,3", "internet", "9,5,1"),
            ("1,3", "paper", "9,5"),
            ("2,1,4", "internet", "9,5,1"),
            ("1,2", "paper", "9,5"),
        ):
            raw = changed(raw, f";{refs};{method}", f";{refs};{points}")
        election = parse_election(raw, "town.pb", accept_counts=True)
        assert dict(election.coins) == {"1": 32, "2": 19, "3": 6, "4": 1}

    def test_choose_one_is_an_approval_of_one(self) -> None:
        raw = changed(election_file("approval"), "vote_type;approval", "vote_type;choose-1").replace(
            b"max_length;3\n", b""
        )
        for refs in (";BR-1,BR-2;", ";BR-1,BR-2,BR-3;"):
            raw = changed(raw, refs, ";BR-1;")
        raw = changed(raw, ";BR-2,BR-3;", ";BR-2;")
        election = parse_election(raw, "town.pb", accept_counts=True)
        assert (election.kind, election.rules.max_length) == (BallotKind.APPROVAL, 1)

    def test_an_idea_named_twice_is_one_allocation_of_the_sum(self) -> None:
        election = parse(election_file("cumulative"))
        assert election.ballots[3].named == (("12", 1), ("12", 2))
        assert election.ballots[3].allocations == {"12": 3}
        assert election.times_named["12"] == 5

    def test_zero_points_name_an_idea_and_move_no_coin(self) -> None:
        election = parse(election_file("cumulative"))
        assert election.ballots[4].allocations == {"7": 2}


class TestCoinsPerMember:
    def test_it_is_max_sum_points(self) -> None:
        assert parse(election_file("cumulative")).coins_per_member == 7

    @pytest.mark.parametrize(("kind", "greatest"), [("approval", 3), ("scoring", 19), ("ordinal", 6)])
    def test_otherwise_it_is_the_greatest_sum_on_a_ballot(self, kind: str, greatest: int) -> None:
        assert parse(election_file(kind)).coins_per_member == greatest


class TestTimes:
    def test_everything_is_counted_at_noon_of_the_last_day(self) -> None:
        assert parse(election_file("approval")).counted_at == datetime(2021, 10, 14, 12, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("cell", "meant"),
        [
            ("1.10.2021", date(2021, 10, 1)),
            ("01.10.2021", date(2021, 10, 1)),
            ("2021-10-01", date(2021, 10, 1)),
            ("2021", date(2021, 1, 1)),
        ],
    )
    def test_a_date_has_several_formats(self, cell: str, meant: date) -> None:
        raw = changed(election_file("approval"), "date_begin;1.10.2021", f"date_begin;{cell}")
        assert parse(raw).first_day == meant

    def test_a_year_alone_is_the_whole_year(self) -> None:
        election = parse(election_file("scoring"))
        assert (election.first_day, election.last_day) == (date(2023, 1, 1), date(2023, 12, 31))

    def test_without_a_first_day_the_last_is_both(self) -> None:
        election = parse(changed(election_file("approval"), "date_begin;1.10.2021\n", ""))
        assert election.first_day == election.last_day == date(2021, 10, 14)


class TestProjects:
    def test_a_project_has_the_values_of_the_file(self) -> None:
        bench, pitch, cinema, shelter = parse(election_file("approval")).projects
        assert (bench.ref, bench.title, bench.cost) == ("BR-1", "Ławki przy bulwarze", Decimal("40000.00"))
        assert (bench.categories, bench.targets) == (("public space", "urban greenery"), ("seniors",))
        assert (bench.latitude, bench.longitude) == (52.4064, 16.9252)
        assert pitch.title == 'Boisko "Orlik"; oświetlenie'
        assert pitch.cost == Decimal("25000.50")
        assert (cinema.targets, cinema.latitude) == ((), None)
        assert [project.selected for project in (bench, pitch, cinema, shelter)] == [1, 1, 0, 2]

    def test_places_are_kept_and_proposers_are_not(self) -> None:
        election = parse(election_file("cumulative"))
        assert [project.places for project in election.projects] == [("Centre",), ("Centre",), ("Le Pré",)]
        assert "Tilleuls" not in repr(election.projects)

    def test_without_a_name_the_id_is_the_title(self) -> None:
        raw = changed(
            election_file("scoring"), "project_id;cost;name;description", "project_id;cost;remark;description"
        )
        assert [project.title for project in parse(raw).projects] == ["Project sofa", "Project lamps", "Project games"]

    @pytest.mark.parametrize(("kind", "has_outcome"), [("approval", True), ("cumulative", False)])
    def test_the_outcome_is_known_if_there_is_a_column_for_it(self, kind: str, has_outcome: bool) -> None:  # noqa: FBT001
        assert parse(election_file(kind)).has_outcome is has_outcome


class TestVoters:
    def test_attributes_are_kept_and_unknown_values_are_omitted(self) -> None:
        ballots = parse(election_file("approval")).ballots
        assert ballots[0].attributes == {"age": 34, "sex": "F", "voting_method": "internet", "neighborhood": "Rynek"}
        assert ballots[3].attributes == {"sex": "M", "voting_method": "internet"}
        assert ballots[4].attributes == {"age": "40-59", "voting_method": "internet", "neighborhood": "Nadrzecze"}

    def test_an_unknown_column_is_kept(self) -> None:
        raw = changed(election_file("approval"), ";neighborhood\n", ";format_easiness\n")
        assert parse(raw).ballots[0].attributes["format_easiness"] == "Rynek"


class TestForms:
    """The file's encoding details do not change its meaning."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_with_a_byte_order_mark_and_windows_line_ends(self, kind: str) -> None:
        raw = election_file(kind)
        saved = b"\xef\xbb\xbf" + raw.replace(b"\n", b"\r\n")
        assert parse(saved).ballots == parse(raw).ballots

    def test_with_spaces_after_semicolons_and_empty_lines(self) -> None:
        raw = election_file("approval")
        spaced = raw.replace(b";", b"; ").replace(b"PROJECTS\n", b"\nPROJECTS\n\n").replace(b'"; o', b'";o')
        assert [ballot.named for ballot in parse(spaced).ballots] == [ballot.named for ballot in parse(raw).ballots]

    def test_without_an_end_of_line_at_the_end(self) -> None:
        assert len(parse(election_file("approval").rstrip()).ballots) == 6

    def test_with_letters_in_decomposed_form(self) -> None:
        raw = changed(election_file("ordinal"), "Ścieżka", "S\u0301ciez\u0307ka")
        assert parse(raw).projects[0].title.startswith("Ścieżka")

    def test_a_quoted_value_may_contain_line_breaks(self) -> None:
        raw = changed(election_file("scoring"), "Two seats, washable covers.", '"Two seats,\nwashable covers."')
        election = parse(raw)
        assert election.projects[0].description == "Two seats,\nwashable covers."
        assert election.ballots[0].line == line_of(raw, "17;")

    def test_a_line_separator_inside_a_value_does_not_end_the_line(self) -> None:
        raw = changed(election_file("ordinal"), "Plac zabaw", "Plac\u2028zabaw")
        assert parse(raw).projects[2].line == line_of(raw, "3;45000")


class TestAcceptCounts:
    def test_wrong_totals_are_listed(self) -> None:
        raw = changed(election_file("approval"), "num_votes;6", "num_votes;7")
        raw = changed(raw, "BR-1;40000;public space,urban greenery;4", "BR-1;40000;public space,urban greenery;5")
        election = parse_election(raw, "town.pb", accept_counts=True)
        assert [(d.line, d.reason) for d in election.differences] == [
            (line_of(raw, "num_votes"), "num_votes is 7, but the rows of VOTES are 6"),
            (line_of(raw, "BR-1;"), "votes of project BR-1 is 5, but the times that ballots name it are 4"),
        ]
        assert len(election.ballots) == 6

    def test_correct_totals_are_not_listed(self) -> None:
        assert parse_election(election_file("approval"), "town.pb", accept_counts=True).differences == ()
