"""Invalid election files, each with one error."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

from tests.factories.elections import changed, election_file, line_of, untotalled

APPROVAL, CUMULATIVE, ORDINAL, SCORING = map(election_file, ("approval", "cumulative", "ordinal", "scoring"))


@dataclass
class Case:
    """A file, the invalid line (its number, or its first characters), and a part of the reason."""

    name: str
    raw: bytes
    line: int | str
    reason: str

    @property
    def expected_line(self) -> int:
        return self.line if isinstance(self.line, int) else line_of(self.raw, self.line)


def case(name: str, raw: bytes, old: str, new: str, line: int | str, reason: str) -> Case:
    return Case(name, changed(raw, old, new), line, reason)


CASES = [
    # totals
    case(
        "more votes stated than present",
        APPROVAL,
        "num_votes;6",
        "num_votes;7",
        "num_votes",
        "num_votes is 7, but the rows of VOTES are 6",
    ),
    case(
        "more projects stated than present",
        APPROVAL,
        "num_projects;4",
        "num_projects;5",
        "num_projects",
        "num_projects is 5, but the rows of PROJECTS are 4",
    ),
    case(
        "a result that the ballots do not give",
        CUMULATIVE,
        "12;20000;5;12;",
        "12;20000;5;13;",
        "12;20000",
        "score of project 12 is 13, but the points on ballots sum to 12",
    ),
    case(
        "a number of votes that the ballots do not give",
        ORDINAL,
        "1;80000;4;9",
        "1;80000;3;9",
        "1;80000",
        "votes of project 1 is 3, but the times that ballots name it are 4",
    ),
    # ballots
    case(
        "an unknown project",
        APPROVAL,
        "3;16;F;internet;BR-2,BR-3",
        "3;16;F;internet;BR-2,BR-9",
        "3;16",
        "names project 'BR-9', which PROJECTS does not have",
    ),
    case(
        "an empty project",
        APPROVAL,
        "3;16;F;internet;BR-2,BR-3",
        "3;16;F;internet;BR-2,",
        "3;16",
        "names project '', which",
    ),
    case(
        "a voter twice",
        APPROVAL,
        "\n5;40-59",
        "\n2;40-59",
        "2;40-59",
        f"voter 2 voted already, on line {line_of(APPROVAL, '2;71')}",
    ),
    case("a voter without an id", APPROVAL, "\n5;40-59", "\n;40-59", ";40-59", "the ballot has no voter_id"),
    case("fewer points than projects", CUMULATIVE, "4,2,1", "4,2", "a;", "2 points for 3 projects"),
    case("more points than projects", CUMULATIVE, "b;12;5;", "b;12;5,1;", "b;", "2 points for 1 projects"),
    case("no points at all", CUMULATIVE, "b;12;5;", "b;12;;", "b;", "0 points for 1 projects"),
    case("negative points", CUMULATIVE, "4,2,1", "4,2,-1", "a;", "the points of project 31 is -1, which is negative"),
    case(
        "broken points",
        SCORING,
        "10,7,2",
        "10,7.5,2",
        "17;",
        "the points of project sofa is '7.5', which is not a whole number",
    ),
    case("points in words", SCORING, "10,7,2", "10,seven,2", "17;", "is 'seven', which is not a whole number"),
    case("points in digits of another script", SCORING, "10,7,2", "10,\u0667,2", "17;", "is not a whole number"),
    case(
        "points on an approval ballot", APPROVAL, "voter_id;age;", "voter_id;points;", "1;34", "1 points for 2 projects"
    ),
    case(
        "a ballot over max_sum_points",
        CUMULATIVE,
        "c;7,31;5,2",
        "c;7,31;5,3",
        "c;",
        "voter c gives points that sum to 8",
    ),
    case("a ballot under min_sum_points", CUMULATIVE, "b;12;5;", "b;12;0;", "b;", "voter b gives points that sum to 0"),
    case("an idea over max_points", CUMULATIVE, "b;12;5;", "b;12;6;", "b;", "voter b has points for project 12 of 6"),
    case(
        "an idea over max_points by being named twice",
        CUMULATIVE,
        "d;12,12;1,2",
        "d;12,12;4,2",
        "d;",
        "voter d has points for project 12 of 6",
    ),
    case(
        "an idea over max_points of a score",
        SCORING,
        "18;sofa;10",
        "18;sofa;11",
        "18;",
        "voter 18 has points for project sofa of 11",
    ),
    case(
        "a ballot over max_length", ORDINAL, "64;1,2,3;", "64;1,2,3,4;", "64;", "voter 64 has a number of projects of 4"
    ),
    case(
        "a ballot under min_length",
        changed(ORDINAL, "min_length;1", "min_length;2"),
        "65;1,3;",
        "65;1;",
        "65;",
        "voter 65 has a number of projects of 1; the published totals agree neither with nor without such ballots",
    ),
    case(
        "a ballot over max_length and no published total",
        untotalled(APPROVAL),
        "max_length;3",
        "max_length;2",
        "4;;M",
        "voter 4 has a number of projects of 3; no published total shows whether such ballots count",
    ),
    case(
        "a ballot that names nothing",
        APPROVAL,
        "6;28;F;paper;BR-4;",
        "6;28;F;paper;;",
        "6;28",
        "voter 6 has a number of projects of 0",
    ),
    case(
        "a ballot over max_sum_cost",
        APPROVAL,
        "6;28;F;paper;BR-4;",
        "6;28;F;paper;BR-1,BR-4;",
        "6;28",
        "whose cost sums to 105000.00",
    ),
    # rows
    case(
        "a row cut short",
        APPROVAL,
        "\n5;40-59;;internet;BR-1;Nadrzecze",
        "\n5;40-59;;inter",
        "5;40-59",
        "4 values where VOTES has 6 columns",
    ),
    case(
        "a row too long",
        CUMULATIVE,
        "Jardin partagé",
        "Jardin; partagé",
        "12;20000",
        "8 values where PROJECTS has 7 columns",
    ),
    case(
        "a quote never closed",
        ORDINAL,
        "Plac zabaw",
        '"Plac zabaw',
        "2;30000",
        "a value that begins here with a double quote has no closing double quote",
    ),
    case(
        "text after a closing quote, and a semicolon inside",
        ORDINAL,
        "Plac zabaw",
        '"Plac; mały" zabaw',
        "2;30000",
        "text follows the double quote that closes a value",
    ),
    # projects
    case(
        "a project twice",
        APPROVAL,
        "\nBR-4;65000",
        "\nBR-1;65000",
        "BR-1;65000",
        f"project BR-1 is already on line {line_of(APPROVAL, 'BR-1;')}",
    ),
    case("a project without an id", APPROVAL, "\nBR-4;65000", "\n;65000", ";65000", "the project has no project_id"),
    case("a negative cost", APPROVAL, "BR-3;20000", "BR-3;-20000", "BR-3;", "cost is -20000, which is negative"),
    case(
        "a cost in words",
        APPROVAL,
        "BR-3;20000",
        "BR-3;20 000 zł",
        "BR-3;",
        "cost is '20 000 zł', which is not a number",
    ),
    case("an outcome that is none", APPROVAL, "None;0;;", "None;yes;;", "BR-3;", "selected is 'yes'"),
    case("a latitude off the globe", APPROVAL, "52.4064", "152.4064", "BR-1;", "latitude is '152.4064'"),
    # META
    case(
        "an unknown kind of ballot",
        APPROVAL,
        "vote_type;approval",
        "vote_type;acclamation",
        "vote_type",
        "vote_type is 'acclamation'",
    ),
    case(
        "no last day and an instance without a year",
        changed(APPROVAL, "date_end;14.10.2021\n", ""),
        "instance;2021",
        "instance;the second",
        "key;value",
        "META has no date_end",
    ),
    case("no kind of ballot", APPROVAL, "vote_type;approval\n", "", "key;value", "META has no vote_type"),
    case(
        "a first day in an impossible year",
        APPROVAL,
        "date_begin;1.10.2021",
        "date_begin;1.10.0221",
        "date_begin",
        "date_begin is '1.10.0221', which is in the year 221",
    ),
    case(
        "a last day in an impossible year",
        APPROVAL,
        "date_end;14.10.2021",
        "date_end;2201-10-14",
        "date_end",
        "date_end is '2201-10-14', which is in the year 2201",
    ),
    case(
        "a day that no calendar has",
        APPROVAL,
        "date_end;14.10.2021",
        "date_end;31.09.2021",
        "date_end",
        "date_end is '31.09.2021', which is not a date",
    ),
    case(
        "a first day after the last",
        APPROVAL,
        "date_end;14.10.2021",
        "date_end;14.09.2021",
        "date_begin",
        "is after date_end, 14.09.2021",
    ),
    case("a key twice", APPROVAL, "rule;greedy", "unit;Brzegowo", 12, "META names 'unit' again (first on line 5)"),
    case(
        "a rule that is not a number",
        APPROVAL,
        "max_length;3",
        "max_length;three",
        "max_length",
        "max_length is 'three', which is not a whole number",
    ),
    case(
        "a budget that is not a number",
        APPROVAL,
        "budget;90000",
        "budget;plenty",
        "budget",
        "budget is 'plenty', which is not a number",
    ),
    case(
        "coins that no voter gets",
        CUMULATIVE,
        "max_sum_points;7",
        "max_sum_points;0",
        "max_sum_points",
        "max_sum_points is 0, less than 1",
    ),
    case(
        "points for ideas that no ballot names",
        SCORING,
        "default_score;0",
        "default_score;2",
        "default_score",
        "default_score is 2",
    ),
    # columns
    case(
        "votes without points",
        CUMULATIVE,
        "voter_id;vote;points;",
        "voter_id;vote;marks;",
        "voter_id",
        "VOTES has no column 'points'",
    ),
    case(
        "votes without a vote",
        APPROVAL,
        "voting_method;vote;",
        "voting_method;choice;",
        "voter_id",
        "VOTES has no column 'vote'",
    ),
    case(
        "projects without a cost",
        APPROVAL,
        "project_id;cost;",
        "project_id;price;",
        "project_id",
        "PROJECTS has no column 'cost'",
    ),
    case("a column twice", APPROVAL, "voter_id;age;", "voter_id;sex;", "voter_id", "VOTES has two columns 'sex'"),
    case(
        "a column without a name", APPROVAL, "voter_id;age;", "voter_id;;", "voter_id", "a column of VOTES has no name"
    ),
    case(
        "META with other columns",
        APPROVAL,
        "key;value",
        "name;content",
        "name;content",
        "META has the columns name;content",
    ),
    # files
    Case("an empty file", b"", 1, "the file is empty"),
    Case("a file of empty lines", b"\n\n  \n", 1, "the file is empty"),
    Case("a truncated file, in META", APPROVAL[: APPROVAL.index(b"vote_type")], 10, "ends without a section PROJECTS"),
    Case("a truncated file, in PROJECTS", APPROVAL[: APPROVAL.index(b"BR-4")], 23, "ends without a section VOTES"),
    Case(
        "a truncated file, before the votes",
        APPROVAL[: APPROVAL.index(b"1;34")],
        "voter_id",
        "VOTES contains no ballot",
    ),
    Case(
        "a truncated file, after the title of the votes",
        APPROVAL[: APPROVAL.index(b"voter_id")],
        "VOTES",
        "section VOTES has no rows",
    ),
    Case(
        "a truncated file, between two votes",
        APPROVAL[: APPROVAL.index(b"6;28")],
        "num_votes",
        "num_votes is 6, but the rows of VOTES are 5",
    ),
    Case(
        "a truncated file, within the last ballot",
        CUMULATIVE[: CUMULATIVE.index(b"2,0;Le")],
        "e;7",
        "3 values where VOTES has 4 columns",
    ),
    Case(
        "a truncated file, within the last ballot's list",
        ORDINAL[: ORDINAL.rindex(b",2;paper")] + b";paper",
        "1;80000",
        "score of project 1 is 9, but the points on ballots sum to 8",
    ),
    case(
        "sections in another order",
        APPROVAL,
        "PROJECTS\n",
        "VOTES\n",
        19,
        "section VOTES instead of PROJECTS",
    ),
    Case("a section twice", APPROVAL + b"VOTES\nvoter_id;vote\n", 33, "a second section VOTES"),
    Case(
        "bad UTF-8",
        APPROVAL.replace("Ławki".encode(), "Ławki".encode("cp1250")),
        "BR-1",
        "byte 0xA3 at column 42 is not UTF-8",
    ),
    Case(
        "a control character",
        changed(SCORING, "Reading lamps", "Reading\x00lamps"),
        "lamps;250",
        "the control character U+0000",
    ),
    Case(
        "a spreadsheet as CSV",
        b"project,cost\n1,2\n",
        1,
        "it begins with 'project,cost', so it is another kind of file",
    ),
    Case("a compressed file", gzip.compress(APPROVAL), 1, "another kind of file"),
    Case("a file in UTF-16", APPROVAL.decode().encode("utf-16"), 1, "another kind of file"),
]
