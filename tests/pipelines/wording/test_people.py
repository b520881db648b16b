from __future__ import annotations

import pytest

from pipelines import wording


class TestPeople:
    @pytest.mark.parametrize(
        ("number", "shown"),
        [(0, "0"), (1, "fewer than 5"), (4, "fewer than 5"), (None, "fewer than 5"), (5, "5"), (1234, "1,234")],
    )
    def test_a_small_number_of_people_is_not_shown(self, number: int | None, shown: str) -> None:
        assert wording.people(number) == shown
