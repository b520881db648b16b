"""API tokens and service accounts on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.factories.shells import Shell

PASSWORD = "seven lanterns over the canal\n"


class TestToken:
    def test_is_printed_once_listed_by_its_start_and_revoked(self, ideamint: Shell) -> None:
        email = "tokens@example.org"
        ideamint("user", "create", email, "--password-file", "-", given=PASSWORD)
        made = ideamint("token", "create", email, "--name", "a script", "--scope", "own:read", "--days", "30", "--json")
        assert made.code == 0, made.err
        created = json.loads(made.out)
        assert created["token"].startswith(created["prefix"])
        listed = ideamint("token", "list", email)
        assert created["prefix"] in listed.out
        assert "never used" in listed.out
        assert created["token"] not in listed.out
        assert "Revoked" in ideamint("token", "revoke", created["id"]).out
        assert "revoked" in ideamint("token", "list", email).out

    def test_refuses_unknown_users_scopes_and_ids(self, ideamint: Shell) -> None:
        arguments = ("--name", "a", "--scope")
        assert "user list" in ideamint("token", "create", "nobody@example.org", *arguments, "own:read").err
        email = "scopes@example.org"
        ideamint("user", "create", email, "--password-file", "-", given=PASSWORD)
        refused = ideamint("token", "create", email, *arguments, "everything")
        assert (refused.code, "coins:stake" in refused.err) == (1, True)
        assert ideamint("token", "revoke", "00000000-0000-0000-0000-000000000001").code == 1


class TestServiceAccount:
    def test_gets_tokens_until_it_is_deactivated(self, ideamint: Shell) -> None:
        email = "answers@example.org"
        ideamint("user", "create", email, "--password-file", "-", given=PASSWORD)
        made = ideamint("service-account", "create", "nightly", "--owner", email, "--scope", "view_report")
        assert made.code == 0, made.err
        first = json.loads(ideamint("service-account", "issue", "nightly", "--name", "export", "--json").out)
        assert first["scopes"] == ["view_report"]
        second = json.loads(ideamint("service-account", "rotate", "Nightly", first["id"], "--json").out)
        assert second["token"] != first["token"]
        assert second["old_token"]["expires_at"] < first["expires_at"]
        assert "nightly  active  view_report" in ideamint("service-account", "list").out
        assert ideamint("service-account", "deactivate", "nightly").code == 0
        assert ideamint("service-account", "issue", "nightly", "--name", "export").code == 1
        assert "service-account list" in ideamint("service-account", "issue", "unknown", "--name", "export").err
