"""Dagster and its dbt integration are imported here first: what they warn of at import is theirs to mend."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import orchestration.definitions  # noqa: F401
