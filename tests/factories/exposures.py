"""The exposures declared in dbt, and the marts that the code reads."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from pipelines import warehouse
from pipelines.marts import reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl
    import pytest

FILE = warehouse.PROJECT_DIR / "models" / "exposures.yml"
_MART = re.compile(r"\b(?:FROM|JOIN)\s+((?:dim|fct)_\w+)")


@dataclass(frozen=True)
class Exposure:
    """A dashboard page or a report, and the names of the marts that it depends on."""

    name: str
    owner: str
    meta: Mapping[str, str]
    marts: frozenset[str]


def declared() -> list[Exposure]:
    """All exposures of the dbt project."""
    return [
        Exposure(
            name=entry["name"],
            owner=entry["owner"]["name"],
            meta=entry["config"]["meta"],
            marts=frozenset(re.fullmatch(r"ref\('(\w+)'\)", ref)[1] for ref in entry["depends_on"]),  # type: ignore[index]
        )
        for entry in yaml.safe_load(FILE.read_text(encoding="utf-8"))["exposures"]
    ]


@contextmanager
def recorded_marts(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The names of the marts that readers query inside the block."""
    found: set[str] = set()
    frame = reader.Marts._frame

    def record(self: reader.Marts, query: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
        found.update(_MART.findall(query))
        return frame(self, query, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(reader.Marts, "_frame", record)
        yield found
