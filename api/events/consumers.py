"""What a consumer of events declares, and the events that it is given.

A consumer is a name, a set of kinds and a handler. The handler's effects in PostgreSQL go through the given session, and
are committed together with the consumer's position, exactly once for each event. Effects elsewhere (mail, another
server) can happen again after a crash, so the receiver must ignore an event id that it knows.

Events of one campaign come in the order of their transactions and, within one, of their ids; events without a campaign
come in one such order too. `api.events.following` runs consumers; `docs/decisions/0020` gives the reasons.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from api.events.kinds import EventKind

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.events.payloads import Payload

PARTITIONS = 16
# the campaign of events that have none
NO_CAMPAIGN = UUID(int=0)


@dataclass(frozen=True)
class Event:
    """A recorded event, as a handler reads it."""

    id: UUID
    xid: int
    kind: EventKind
    recorded_at: datetime
    occurred_at: datetime
    campaign_id: UUID | None
    actor_id: UUID | None
    user_id: UUID | None
    idea_id: UUID | None
    request_id: str | None
    payload: Payload


Handler = Callable[["AsyncSession", Sequence[Event]], Awaitable[None]]


@dataclass(frozen=True)
class Consumer:
    """Who follows which events, and how.

    A handler gets at most `batch_max` events at once, and half of `lease_s` seconds for them. An event that fails
    `attempts_max` times is parked: `on_failure` says whether later events of its campaign go on ("park") or wait until it
    is retried or skipped by command ("wait"). The pause between two attempts is `backoff_s` seconds, doubled each time.
    """

    name: str
    kinds: frozenset[EventKind]
    handle: Handler
    starts_at: Literal["beginning", "end"] = "beginning"
    on_failure: Literal["park", "wait"] = "park"
    batch_max: int = 500
    attempts_max: int = 5
    backoff_s: float = 1.0
    lease_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse a declaration that the tables would refuse later."""
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", self.name), f"{self.name!r} is not a name in snake case"
        assert self.kinds, f"{self.name} follows no kind"
        assert self.batch_max > 0, "a batch holds at least one event"
        assert 0 < self.attempts_max <= 20, "the time between attempts doubles"
        assert self.lease_s > 0, "a lease lasts for some time"

    @property
    def waits(self) -> bool:
        """Whether a parked event holds back the later events of its campaign."""
        return self.on_failure == "wait"


def partition_of(campaign_id: UUID | None) -> int:
    """The partition that a campaign's events belong to: the last hexadecimal digit of its id, 0 without a campaign."""
    return 0 if campaign_id is None else campaign_id.int % PARTITIONS
