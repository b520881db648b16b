"""The container of the domain ideas: the objects that a process makes once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from api.coins.container import CoinsContainer
from api.ideas.lists.counts import Counts
from api.kernel.container import provided


@dataclass(frozen=True, kw_only=True)
class IdeasContainer(CoinsContainer):
    """Adds the numbers of ideas of long lists."""

    list_counts: Counts


ProvidedCounts = Annotated[Counts, Depends(provided(IdeasContainer, lambda container: container.list_counts))]
