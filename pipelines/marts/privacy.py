"""The rule that protects small groups."""

from __future__ import annotations

from typing import Final

GROUP_SIZE_MIN: Final = 5
"""The smallest number of people that anything is shown for. The dbt variable `group_size_min` is tested against it."""
