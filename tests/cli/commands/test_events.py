"""`ideamint events` on an installation whose consumers have not run yet."""

from __future__ import annotations

from uuid import uuid4

from tests.factories.shells import Shell


def test_status_and_refusals(ideamint: Shell) -> None:
    status = ideamint("events", "status", "--json")
    assert (status.code, status.json["consumers"]) == (0, []), status.err
    assert status.json["held_back_s"] >= 0
    assert ideamint("events", "status").out.startswith("no consumer has run yet")

    for command in (
        ("retry", "mail", "--all"),
        ("skip", "mail", str(uuid4())),
        ("replay", "mail", "--from-beginning"),
        ("forget", "mail"),
    ):
        refused = ideamint("events", *command)
        assert (refused.code, refused.out) == (1, "")
        assert "There is no consumer 'mail'." in refused.err
    for wrong in (("retry", "mail"), ("retry", "mail", "--all", str(uuid4())), ("replay", "mail")):
        assert ideamint("events", *wrong).code == 2
