"""Parsing of valid files."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from api.imports.elections import BallotKind, Defaults, Election
from api.imports.errors import MalformedElection
from api.imports.pabulib import parse_election
from tests.factories.elections import KINDS, changed, election_file, line_of, untotalled, without


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

    @pytest.mark.parametrize("rule", ["max_length;3\n", "max_length;4\n", ""])
    def test_an_ordinal_ballot_is_counted_by_borda_over_its_own_length(self, rule: str) -> None:
        election = parse(changed(election_file("ordinal"), "max_length;3\n", rule))
        assert election.ballots[0].allocations == {"1": 3, "2": 2, "3": 1}
        assert election.ballots[1].allocations == {"1": 2, "3": 1}
        assert dict(election.coins) == {"1": 9, "2": 6, "3": 2, "4": 1}

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

    @pytest.mark.parametrize("title", ['"Plac" zabaw', '"Plac" "zabaw"', 'Plac "zabaw"', '"Plac", zabaw'])
    def test_quotes_around_a_part_of_a_value_belong_to_it(self, title: str) -> None:
        raw = changed(election_file("ordinal"), "Plac zabaw", title)
        election = parse(raw)
        assert [project.title for project in election.projects[1:3]] == [title, "Remont świetlicy"]
        assert [project.line for project in election.projects] == [line_of(raw, f"{n};") for n in (1, 2, 3, 4)]

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


class TestIrregularBallots:
    """Ballots that violate a limit of META."""

    def test_are_kept_if_the_totals_count_them(self) -> None:
        raw = changed(election_file("approval"), "max_sum_cost;90000", "max_sum_cost;60000")
        election = parse(raw)
        assert [(fault.line, fault.reason, fault.expected) for fault in election.irregular] == [
            (
                line_of(raw, "1;34"),
                "the ballot of voter 1 names projects whose cost sums to 65000.50",
                "max_sum_cost, 60000.00, or less",
            ),
            (
                line_of(raw, "4;;M"),
                "the ballot of voter 4 names projects whose cost sums to 85000.50",
                "max_sum_cost, 60000.00, or less",
            ),
            (
                line_of(raw, "6;28"),
                "the ballot of voter 6 names projects whose cost sums to 65000.00",
                "max_sum_cost, 60000.00, or less",
            ),
        ]
        assert (election.irregular_counted, len(election.ballots)) == (True, 6)

    @pytest.mark.parametrize(
        ("kind", "old", "new"),
        [
            ("cumulative", "min_sum_points;1", "min_sum_points;6"),
            ("ordinal", "min_length;1", "min_length;3"),
            ("ordinal", "max_length;3", "max_length;2"),
            ("scoring", "min_points;0", "min_points;3"),
        ],
    )
    def test_any_limit_may_be_violated_that_coins_do_not_have(self, kind: str, old: str, new: str) -> None:
        election = parse(changed(election_file(kind), old, new))
        assert election.irregular
        assert election.irregular_counted
        assert dict(election.coins) == dict(parse(election_file(kind)).coins)

    def test_are_left_out_if_the_totals_do_not_count_them(self) -> None:
        raw = election_file("approval") + b"7;50;M;internet;BR-1,BR-4;Rynek\n8;51;F;internet;BR-3,BR-4;Rynek\n"
        raw = changed(raw, "max_sum_cost;90000", "max_sum_cost;86000")
        kept = parse(changed(raw, "8;51;F;internet;BR-3,BR-4", "8;51;F;internet;BR-4,BR-1"))
        assert (len(kept.irregular), kept.irregular_counted) == (2, False)
        assert kept.ballots == parse(election_file("approval")).ballots

    def test_the_file_is_refused_if_the_totals_agree_with_neither(self) -> None:
        raw = election_file("approval") + b"7;50;M;internet;BR-1,BR-4;Rynek\n8;51;F;internet;BR-1,BR-4;Rynek\n"
        with pytest.raises(MalformedElection, match="agree neither with nor without such ballots") as refused:
            parse(changed(raw, "num_votes;6", "num_votes;7"))
        assert [fault.line for fault in refused.value.faults] == [line_of(raw, "7;50"), line_of(raw, "8;51")]


class TestSectionsAndKeysInAnyCase:
    @pytest.mark.parametrize("kind", KINDS)
    def test_they_mean_the_same(self, kind: str) -> None:
        raw = election_file(kind)
        lines = raw.decode().split("\n")
        for number, line in enumerate(lines):
            if line in {"META", "PROJECTS", "VOTES"}:
                lines[number], lines[number + 1] = line.capitalize(), lines[number + 1].upper()
            elif line.startswith(("vote_type", "max_", "date_", "num_")):
                key, _, value = line.partition(";")
                lines[number] = f"{key.title()};{value}"
        election = parse("\n".join(lines).encode())
        assert (election.meta, election.projects, election.ballots) == (
            parse(raw).meta,
            parse(raw).projects,
            parse(raw).ballots,
        )


class TestDefaults:
    """Values that a file leaves out."""

    BARE = without(election_file("scoring"), "country", "unit", "instance", "date_begin", "date_end")

    def test_are_supplied_by_the_caller(self) -> None:
        given = Defaults(country="Belgium", unit="Genk", instance="first", date="7.03.2024")
        election = parse_election(self.BARE, "town.pb", defaults=given)
        assert {key: election.meta[key] for key in ("country", "unit", "instance", "date_end")} == {
            "country": "Belgium",
            "unit": "Genk",
            "instance": "first",
            "date_end": "7.03.2024",
        }
        assert election.first_day == election.last_day == date(2024, 3, 7)
        assert election.supplied.keys() == {"country", "unit", "instance", "date_begin", "date_end"}

    def test_do_not_replace_values_of_the_file(self) -> None:
        given = Defaults(country="Belgium", unit="Genk", instance="first", date="2024")
        election = parse_election(election_file("scoring"), "town.pb", defaults=given)
        assert (election.meta, election.supplied) == (parse(election_file("scoring")).meta, {})

    def test_the_unit_is_the_description_and_the_instance_the_year(self) -> None:
        election = parse_election(self.BARE, "town.pb", defaults=Defaults(date="2024"))
        assert (election.meta["unit"], election.meta["instance"]) == ("Ideas for the common room", "2024")
        assert "country" not in election.meta
        assert (election.first_day, election.last_day) == (date(2024, 1, 1), date(2024, 12, 31))

    def test_without_a_description_the_unit_is_the_name_of_the_file(self) -> None:
        raw = without(self.BARE, "description")
        assert parse_election(raw, "common-room.pb", defaults=Defaults(date="2024")).meta["unit"] == "common-room"

    def test_the_date_is_the_year_of_the_instance(self) -> None:
        raw = changed(self.BARE, "budget;1500\n", "instance;2022 spring\n")
        election = parse(raw)
        assert (election.first_day, election.last_day) == (date(2022, 1, 1), date(2022, 12, 31))
        assert election.budget is None

    def test_without_any_date_the_file_is_refused(self) -> None:
        with pytest.raises(MalformedElection, match=r"META has no date_end.*--date"):
            parse(self.BARE)

    def test_a_supplied_date_is_checked(self) -> None:
        with pytest.raises(MalformedElection, match=r"date_end is '31\.12\.1899', which is in the year 1899"):
            parse_election(self.BARE, "town.pb", defaults=Defaults(date="31.12.1899"))

    def test_totals_may_be_missing(self) -> None:
        election = parse(untotalled(election_file("cumulative")))
        assert dict(election.coins) == {"12": 12, "7": 9, "31": 3}


class TestTexts:
    """The product's rule for text holds for values of files."""

    def test_format_characters_are_removed_from_titles(self) -> None:
        raw = changed(election_file("approval"), "Kino letnie", "\u202eKino\u200b letnie\u2069")
        assert parse(raw).projects[2].title == "Kino letnie"

    def test_an_invisible_title_is_a_missing_one(self) -> None:
        raw = changed(election_file("approval"), "Kino letnie", "\u200b\u2063\u3164")
        assert parse(raw).projects[2].title == "Project BR-3"

    def test_a_title_is_a_single_line(self) -> None:
        raw = changed(election_file("approval"), "Kino letnie", '"Kino\vw\u2028parku\n letnie"')
        assert parse(raw).projects[2].title == "Kino w parku letnie"

    def test_vertical_tabs_of_a_description_are_line_breaks(self) -> None:
        raw = changed(election_file("scoring"), "Two seats, washable covers.", "Two seats,\vwashable covers.")
        assert parse(raw).projects[0].description == "Two seats,\nwashable covers."

    def test_an_id_is_the_same_with_and_without_invisible_characters(self) -> None:
        raw = changed(election_file("approval"), "6;28;F;paper;BR-4;", "6;28;F;paper;\ufeffBR-4\u200b;")
        assert parse(raw).ballots[5].allocations == {"BR-4": 1}
