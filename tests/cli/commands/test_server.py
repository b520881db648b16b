"""Start and stop of the embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from tests.factories.shells import Shell


class TestDb:  # in the last file of this folder, since it stops the server
    def test_a_server_started_by_command_stays_and_others_stop(self, ideamint: Shell) -> None:
        assert ideamint("db", "stop", "--json").json["stopped"] in (True, False)
        assert ideamint("db", "migrate", "--json").json["revision"] == newest_revision()
        assert ideamint("db", "url").code == 1

        assert ideamint("db", "start").code == 0
        assert ideamint("verify").code == 0
        with psycopg.connect(ideamint("db", "url", "--role", "reader", "--json").json["url"]) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("ideamint_reader",)

        assert ideamint("db", "stop", "--json").json == {"stopped": True}
        assert ideamint("db", "stop", "--json").json == {"stopped": False}


def newest_revision() -> int | None:
    from api.migrations import revisions

    return revisions.needed().revision
