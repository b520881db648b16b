"""Cached reads of the newest snapshot, by scope.

`st.cache_data` is one cache for all viewers, so the scope is part of every key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import polars as pl
import streamlit as st

import settings
from pipelines import marts


@st.cache_resource(show_spinner=False)
def installation() -> settings.Settings:
    """The settings of this installation, read once per process."""
    return settings.load()


@dataclass(frozen=True, slots=True)
class View:
    """A snapshot within the scope of one viewer."""

    snapshot: marts.Snapshot
    scope: marts.Scope

    def refusal(self) -> marts.Refusal | None:
        """As :meth:`pipelines.marts.Marts.refusal`; read anew, since it changes without a new snapshot."""
        refusal = marts.find_refusal(self.snapshot.exports_dir)
        return refusal and refusal.within(self.scope, () if self.scope.sees_all else self.campaigns())

    def campaigns(self) -> tuple[marts.Campaign, ...]:
        """As :meth:`pipelines.marts.Marts.campaigns`."""
        return cast("tuple[marts.Campaign, ...]", self._read("campaigns"))

    def figures(self, campaign_id: str | None, period: marts.Period = marts.Period.TO_DATE) -> tuple[marts.Figure, ...]:
        """As :meth:`pipelines.marts.Marts.figures`."""
        return cast("tuple[marts.Figure, ...]", self._read("figures", campaign_id, period))

    def ideas(self, campaign_id: str) -> pl.DataFrame:
        """As :meth:`pipelines.marts.Marts.ideas`."""
        return cast("pl.DataFrame", self._read("ideas", campaign_id))

    def coins_over_time(self, campaign_id: str) -> pl.DataFrame:
        """As :meth:`pipelines.marts.Marts.coins_over_time`."""
        return cast("pl.DataFrame", self._read("coins_over_time", campaign_id))

    def participation_by_group(self, campaign_id: str) -> pl.DataFrame:
        """As :meth:`pipelines.marts.Marts.participation_by_group`."""
        return cast("pl.DataFrame", self._read("participation_by_group", campaign_id))

    def conservation(self) -> pl.DataFrame:
        """As :meth:`pipelines.marts.Marts.conservation`."""
        return cast("pl.DataFrame", self._read("conservation"))

    def cohorts(self) -> pl.DataFrame:
        """As :meth:`pipelines.marts.Marts.cohorts`."""
        return cast("pl.DataFrame", self._read("cohorts"))

    def roi(self, campaign_id: str | None) -> pl.DataFrame:
        """As :meth:`pipelines.marts.Marts.roi`."""
        return cast("pl.DataFrame", self._read("roi", campaign_id))

    def _read(self, query: str, *arguments: str | None) -> Any:
        ids = self.scope.campaign_ids
        scope_key = None if ids is None else tuple(sorted(ids))
        return _read(str(self.snapshot.folder), scope_key, query, arguments, self)


def view(scope: marts.Scope) -> View:
    """The newest snapshot within a scope.

    Raises:
        marts.NoSnapshot: nothing is published.
    """
    return View(marts.published(installation().paths.data_dir), scope)


@st.cache_data(max_entries=500, show_spinner=False)
def _read(
    folder: str, scope_key: tuple[str, ...] | None, query: str, arguments: tuple[str | None, ...], _view: View
) -> Any:
    del folder, scope_key  # part of the cache key
    with marts.open_snapshot(_view.snapshot, _view.scope) as reader:
        return getattr(reader, query)(*arguments)
