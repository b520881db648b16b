"""Refusals of the ledger to close ideas, raised by its functions as exceptions with the constraint of the rule."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from psycopg import Error
from sqlalchemy.exc import DBAPIError

from api.coins import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.kernel.errors import DomainError


@contextmanager
def refusing() -> Iterator[None]:
    """Raise the ledger's refusal to close an idea as a domain error.

    Raises:
        GraceRunning: backers may still take their coins back.
        DecisionTooEarly: the policy decides after the end of allocation.
        TooLittleSupport: the idea has too few coins or backers.
        WithdrawnTooLate: the author's time to withdraw is over.
    """
    try:
        yield
    except DBAPIError as error:
        cause = error.orig
        if not isinstance(cause, Error) or (make := _ERRORS.get(cause.diag.constraint_name or "")) is None:
            raise
        raise make(cause.diag.message_detail or "") from error


def _grace_running(detail: str) -> DomainError:
    until = _moment(detail)
    msg = f"After a material edit, backers may take their coins back until {until.isoformat()}; ideas are decided after that."
    return errors.GraceRunning(msg, grace_until=until)


def _decision_too_early(detail: str) -> DomainError:
    ends = json.loads(detail)["closes_at"]
    if ends is None:
        msg = (
            "The coin policy decides after the end of allocation (decision_mode), which is not set; set ends_at of the "
            "campaign or allocate_until of the policy."
        )
        return errors.DecisionTooEarly(msg, closes_at=None)
    closes_at = _moment(ends)
    msg = f"The coin policy decides after the end of allocation (decision_mode), {closes_at.isoformat()}."
    return errors.DecisionTooEarly(msg, closes_at=closes_at)


def _too_little_support(detail: str) -> DomainError:
    figures = json.loads(detail)
    msg = (
        f"By the coin policy an accepted idea has at least {figures['accept_threshold_coins']} coins and "
        f"{figures['backers_min']} backers; this one has {figures['coins']} and {figures['backers']}."
    )
    return errors.TooLittleSupport(msg, **figures)


def _withdrawn_too_late(detail: str) -> DomainError:
    until = _moment(json.loads(detail)["author_withdraw_until"])
    msg = f"Authors could withdraw their ideas until {until.isoformat()}; ask a manager of the campaign to reject it."
    return errors.WithdrawnTooLate(msg, author_withdraw_until=until)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# by the constraints of api/coins/sql/grace.sql and acceptance.sql
_ERRORS: dict[str, Callable[[str], DomainError]] = {
    "coin_targets_in_grace": _grace_running,
    "coin_targets_decided_early": _decision_too_early,
    "coin_targets_lack_support": _too_little_support,
    "coin_targets_withdrawn_late": _withdrawn_too_late,
}
