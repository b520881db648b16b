"""Creation of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
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
