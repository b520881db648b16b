"""Creation of users."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from pathlib import Path

    from tests.factories.shells import Shell


class TestUserCreate:
    def test_creates_a_user_who_can_log_in(self, ideamint: Shell, admin_url: str) -> None:
        given = ("--role", "system_admin", "--permission", "create_campaign", "--password-file", "-")
        arguments = ("user", "create", "Head@Example.org", *given)
        done = ideamint(*arguments, given="seven lanterns over the canal\n")

        assert done.code == 0, done.err
        with psycopg.connect(admin_url) as connection:
            row = connection.execute(
                "SELECT password_hash LIKE '$argon2id$%', roles, permissions FROM app.users"
                " WHERE lower(email) = 'head@example.org'"
            ).fetchone()
        assert row == (True, ["system_admin"], ["create_campaign"])
        assert "seven lanterns" not in done.out + done.err

        again = ideamint(*arguments, given="seven lanterns over the canal\n")
        assert again.code == 1

    def test_refuses_a_short_password_and_unknown_roles_and_permissions(self, ideamint: Shell) -> None:
        short = ideamint("user", "create", "a@example.org", "--password-file", "-", given="short\n")
        assert short.code == 1
        for unknown in (("--role", "king"), ("--permission", "manage_members")):
            assert ideamint("user", "create", "a@example.org", *unknown, "--password-file", "-").code == 2


class TestImportRoster:
    def test_imports_a_file_and_shows_what_it_would_do(self, ideamint: Shell, tmp_path: Path) -> None:
        file = tmp_path / "people.csv"
        file.write_bytes("Name;Email;Department\nŁucja;lucja@example.org;Sprzedaż\n".encode("cp1250"))
        shown = ideamint("user", "import-roster", str(file), "--dry-run")
        assert (shown.code, "Dry run, nothing was changed: 1 created" in shown.out) == (0, True), shown.err
        assert json.loads(ideamint("user", "list", "lucja@", "--json").out)["users"] == []
        assert json.loads(ideamint("user", "import-roster", str(file), "--json").out)["created"] == 1
        [user] = json.loads(ideamint("user", "list", "lucja@", "--json").out)["users"]
        assert (user["display_name"], user["email_verified_at"]) == ("Łucja", None)

    def test_an_error_names_line_and_column_and_nothing_is_written(self, ideamint: Shell, tmp_path: Path) -> None:
        file = tmp_path / "people.csv"
        file.write_text("name,email\nJo,jo.roster@example.org\nJo,nowhere\n")
        refused = ideamint("user", "import-roster", str(file))
        assert (refused.code, "line 3, column email" in refused.err) == (1, True)
        assert json.loads(ideamint("user", "list", "jo.roster@", "--json").out)["users"] == []


class TestUserChange:
    def test_deactivates_lists_and_reactivates(self, ideamint: Shell) -> None:
        email = "changed@example.org"
        ideamint("user", "create", email, "--password-file", "-", given="seven lanterns over the canal\n")
        assert f"Deactivated {email}" in ideamint("user", "deactivate", email).out
        listed = json.loads(ideamint("user", "list", "changed@", "--json").out)["users"]
        assert [(user["email"], user["is_active"]) for user in listed] == [(email, False)]
        assert "active" in ideamint("user", "reactivate", email).out
        assert ideamint("user", "log-out", email).code == 0

    def test_replaces_rights(self, ideamint: Shell) -> None:
        email = "rights@example.org"
        ideamint("user", "create", email, "--password-file", "-", given="seven lanterns over the canal\n")
        changed = ideamint("user", "rights", email, "--role", "executive", "--permission", "create_campaign", "--json")
        assert (json.loads(changed.out)["roles"], json.loads(changed.out)["permissions"]) == (
            ["executive"],
            ["create_campaign"],
        )
        left = json.loads(ideamint("user", "rights", email, "--no-roles", "--json").out)
        assert (left["roles"], left["permissions"]) == ([], ["create_campaign"])

    def test_refuses_unknown_users_and_permissions_and_empty_changes(self, ideamint: Shell) -> None:
        assert "ideamint user list" in ideamint("user", "deactivate", "nobody@example.org").err
        assert ideamint("user", "rights", "nobody@example.org").code == 2
        assert ideamint("user", "rights", "rights@example.org", "--permission", "manage_users").code == 1


class TestImportMembers:
    def test_imports_a_list_and_reports_who_was_left_out(self, ideamint: Shell, admin_url: str, tmp_path: Path) -> None:
        file = tmp_path / "members.csv"
        file.write_text("email;name;role;site\nann@example.org;Ann;observer;North\nnowhere;Jo;;\n")
        missing = ideamint("campaign", "import-members", "no-such-campaign", str(file))
        assert (missing.code, "no-such-campaign" in missing.err) == (1, True)
        with psycopg.connect(admin_url) as connection:
            connection.execute("INSERT INTO app.campaigns (slug, title) VALUES ('listed', 'A campaign with a list')")
        refused = ideamint("campaign", "import-members", "listed", str(file))
        assert (refused.code, "line 3, column email" in refused.err) == (1, True)
        arguments = ("campaign", "import-members", "listed", str(file), "--continue-on-failure")
        shown = ideamint(*arguments, "--dry-run")
        assert (shown.code, "Dry run, nothing was changed: 0 added, 1 invited" in shown.out) == (1, True), shown.err
        done = ideamint(*arguments, "--json")
        assert (done.code, done.json["invited"], done.json["failed"]) == (1, 1, 1)
        assert [(each["line"], each["column"]) for each in done.json["errors"]] == [(3, "email")]
        with psycopg.connect(admin_url) as connection:
            rows = connection.execute("SELECT email, role, attributes FROM app.campaign_invitations").fetchall()
        assert rows == [("ann@example.org", "observer", {"site": "North"})]
