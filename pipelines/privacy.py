"""The rule that protects small groups."""

from __future__ import annotations

from typing import Final

GROUP_SIZE_MIN: Final = 5
"""Figures of fewer people are not shown.

The marts apply the rule (`dbt_project/macros/privacy.sql`), and `pipelines.quality` checks it before a publication. Readers
only state the reason. A test compares the dbt variable `group_size_min` with this number.
"""
