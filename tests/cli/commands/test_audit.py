"""The audit trail on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.factories.shells import Shell


class TestAudit:
    def test_shows_and_exports_what_happened_to_a_person(self, ideamint: Shell, tmp_path: Path) -> None:
        email = "audited@example.org"
        ideamint("user", "create", email, "--password-file", "-", given="seven lanterns over the canal\n")
        ideamint("user", "deactivate", email)
        shown = ideamint("audit", "--person", email)
        assert shown.code == 0, shown.err
        assert "user_deactivated" in shown.out
        found = json.loads(ideamint("audit", "--person", email, "--kind", "user_created", "--json").out)["events"]
        assert [event["kind"] for event in found] == ["user_created"]
        again = json.loads(ideamint("audit", "--kind", "personal_data_read", "--person", email, "--json").out)["events"]
        assert len(again) == 2
        file = tmp_path / "audit.csv"
        assert ideamint("audit", "--person", email, "--csv", str(file)).out.strip() == str(file)
        assert "user_deactivated" in file.read_text()

    def test_refuses_unknown_people_and_kinds(self, ideamint: Shell) -> None:
        assert "user list" in ideamint("audit", "--actor", "nobody@example.org").err
        assert ideamint("audit", "--kind", "coins_vanished").code == 2
        assert ideamint("audit", "--limit", "0").code == 2
