"""The keys that sign access tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.factories.shells import Shell


class TestKeys:
    def test_rotate_replaces_the_key_and_list_shows_both(self, ideamint: Shell) -> None:
        first = json.loads(ideamint("keys", "rotate", "--at-once", "--json").out)
        second = json.loads(ideamint("keys", "rotate", "--json").out)
        listed = json.loads(ideamint("keys", "list", "--json").out)["keys"]
        found = {key["kid"]: key for key in listed}
        assert found[second["kid"]]["accepted_until"] is None
        assert found[first["kid"]]["accepted_until"] > second["signs_from"]
        text = ideamint("keys", "list").out
        assert f"{second['kid']}  signs from" in text
        assert "in use" in text
