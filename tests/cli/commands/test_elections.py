"""Import and export of elections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from api.imports.pabulib import parse_election
from tests.cli.commands.conftest import ELECTIONS
from tests.factories.elections import changed, without

if TYPE_CHECKING:
    from pathlib import Path

    from tests.factories.shells import Shell


class TestImport:
    def test_prints_the_result_and_changes_nothing_the_second_time(self, ideamint: Shell, imported: str) -> None:
        again = ideamint("import", "pabulib", str(ELECTIONS / "cumulative.pb"))

        assert again.code == 0
        assert f"cumulative.pb: unchanged as {imported}" in again.out

    def test_refuses_invalid_files_and_imports_the_others(self, ideamint: Shell, tmp_path: Path) -> None:
        cut = tmp_path / "cut.pb"
        cut.write_text("META\nkey;value\n")

        done = ideamint("import", "pabulib", str(cut), "/no/such.pb", str(ELECTIONS / "approval.pb"), "--json")

        assert done.code == 1
        assert [each["file_name"] for each in done.json["imported"]] == ["approval.pb"]
        assert [each["file"] for each in done.json["refused"]] == [str(cut), "/no/such.pb"]
        assert re.search(r"cut\.pb: line \d+: ", done.err)
        assert "/no/such.pb: No such file or directory" in done.err

    def test_supplies_what_a_file_leaves_out_and_lists_irregular_ballots(
        self, ideamint: Shell, imported: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "bare.pb"
        raw = without((ELECTIONS / "ordinal.pb").read_bytes(), "country", "date_begin", "date_end")
        file.write_bytes(changed(raw, "min_length;1", "min_length;3"))

        done = ideamint("import", "pabulib", str(file), "--country", "Estonia", "--date", "2019-05-31")
        refused = ideamint("import", "pabulib", str(file), "--country", "Esto\nnia")

        assert done.code == 0, done.err
        assert "bare.pb: imported as estonia-lipnica-kamionka-2018" in done.out
        assert "bare.pb: 2 ballots violate a limit and are imported, as in the published totals" in done.out
        assert re.search(r"line \d+: the ballot of voter 65 has a number of projects of 2", done.out)
        assert refused.code == 2
        assert "single line" in refused.err


class TestExportPabulib:
    def test_writes_an_election_with_the_same_totals(self, ideamint: Shell, imported: str, tmp_path: Path) -> None:
        out = tmp_path / "new" / "again.pb"

        done = ideamint("export", "pabulib", imported, "--out", str(out), "--json")

        assert done.code == 0, done.err
        original = parse_election((ELECTIONS / "cumulative.pb").read_bytes(), "cumulative.pb")
        assert done.json == {
            "file": str(out),
            "bytes": out.stat().st_size,
            "slug": imported,
            "ideas": 3,
            "ballots": 5,
            "coins": original.coins.total(),
        }
        assert parse_election(out.read_bytes(), "again.pb").coins == original.coins

    def test_refuses_an_unknown_campaign(self, ideamint: Shell, imported: str, tmp_path: Path) -> None:
        done = ideamint("export", "pabulib", "nowhere", "--out", str(tmp_path / "none.pb"))

        assert done.code == 1
        assert "There is no campaign 'nowhere'" in done.err
        assert not (tmp_path / "none.pb").exists()
