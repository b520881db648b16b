"""The dates of a campaign, and the order that they and the window of its coin policy must have."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from datetime import datetime

NAMES = ("starts_at", "submissions_close_at", "ends_at", "decide_by")


StageName = Literal["submit", "discuss", "allocate", "decide"]


class CoinWindow(Protocol):
    """The dates of a coin policy."""

    @property
    def allocation_opens_at(self) -> datetime | None:
        """The first moment at which coins can be moved; None if only the campaign limits it."""

    @property
    def allocate_until(self) -> datetime | None:
        """The last moment at which coins can be moved; None if only the campaign limits it."""


@dataclass(frozen=True)
class Stage:
    """A stage of a campaign, both moments included; None is a date that is not set."""

    name: StageName
    opens_at: datetime | None
    closes_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Dates:
    """The dates of a campaign; None is a date that is not set."""

    starts_at: datetime | None = None
    submissions_close_at: datetime | None = None
    ends_at: datetime | None = None
    decide_by: datetime | None = None

    def find_contradiction(self, policy: CoinWindow) -> str | None:
        """A message about the first rule that the dates break, or None. Two dates may be the same moment."""
        if self.decide_by is not None and self.ends_at is None:
            return "decide_by needs ends_at: ideas are decided after the end"
        of_campaign = {name: getattr(self, name) for name in NAMES}
        of_coins = {
            "starts_at": self.starts_at,
            "coin_policy.allocation_opens_at": policy.allocation_opens_at,
            "coin_policy.allocate_until": policy.allocate_until,
            "ends_at": self.ends_at,
        }
        for dates in (of_campaign, of_coins):
            for (earlier, first), (later, second) in combinations(dates.items(), 2):
                if first is not None and second is not None and first > second:
                    return f"{earlier} is after {later}"
        return None

    def allocation(self, policy: CoinWindow) -> Stage:
        """The stage in which members can move coins: the narrower of the campaign's window and the policy's."""
        return Stage(
            "allocate",
            max((at for at in (self.starts_at, policy.allocation_opens_at) if at is not None), default=None),
            min((at for at in (self.ends_at, policy.allocate_until) if at is not None), default=None),
        )

    def stages(self, policy: CoinWindow) -> list[Stage]:
        """The stages in order: submit, discuss, allocate and decide.

        Ideas are discussed between their submission and the allocation of coins; without such a time there is no stage for
        it. They are decided after the end.
        """
        found = [Stage("submit", self.starts_at, self.submissions_close_at or self.ends_at)]
        between = self.submissions_close_at, policy.allocation_opens_at
        if between[0] is not None and between[1] is not None and between[0] < between[1]:
            found.append(Stage("discuss", *between))
        return [*found, self.allocation(policy), Stage("decide", self.ends_at, self.decide_by)]
