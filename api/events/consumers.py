"""The declaration of a consumer of events, and the events that its handler receives.

A consumer has a name, a set of kinds and a handler. The handler writes to PostgreSQL through the given session; its
writes are committed together with the consumer's position, exactly once for each event. Other effects (mail, another
server) can happen again after a crash, so the receiver must ignore an event id that it has seen.

Events of one campaign are delivered in the order of their transactions and, within one, of their ids; so are events
without a campaign. `api.events.following` runs consumers; `docs/decisions/0020` gives the reasons.
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
# the campaign id of events without a campaign
NO_CAMPAIGN = UUID(int=0)


@dataclass(frozen=True)
class Event:
    """A recorded event, as a handler receives it."""

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
    """A declared consumer.

    A handler receives at most `batch_max` events in one call, and has half of `lease_s` seconds for them. An event that
    fails `attempts_max` times is parked: `on_failure` determines whether later events of its campaign are processed
    ("park") or wait until a command retries or skips it ("wait"). The pause between two attempts is `backoff_s`
    seconds, doubled each time.
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
        """Refuse an invalid declaration."""
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", self.name), f"{self.name!r} is not a name in snake case"
        assert self.kinds, f"{self.name} follows no kind"
        assert self.batch_max > 0, "a batch has at least one event"
        assert 0 < self.attempts_max <= 20, "attempts_max is from 1 to 20, because the pause doubles"
        assert self.lease_s > 0, "lease_s is positive"

    @property
    def waits(self) -> bool:
        """Whether later events of a campaign wait for a parked one."""
        return self.on_failure == "wait"


def partition_of(campaign_id: UUID | None) -> int:
    """The partition that a campaign's events belong to: the last hexadecimal digit of its id, 0 without a campaign."""
    return 0 if campaign_id is None else campaign_id.int % PARTITIONS
