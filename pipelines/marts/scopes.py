"""Which campaigns a reader may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True)
class Scope:
    """All campaigns and the organisation's figures (`campaign_ids` is None), or only the named campaigns."""

    ALL: ClassVar[Scope]

    campaign_ids: frozenset[str] | None

    @classmethod
    def of(cls, campaign_ids: Iterable[str]) -> Self:
        """Only the campaigns with these ids (UUIDs as text), without figures across campaigns."""
        return cls(frozenset(campaign_ids))

    @property
    def sees_all(self) -> bool:
        """Whether the organisation's figures may be read too."""
        return self.campaign_ids is None


Scope.ALL = Scope(None)
