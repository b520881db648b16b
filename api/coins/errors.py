"""What the ledger refuses, with the numbers that a client needs to do better."""

from __future__ import annotations

from http import HTTPStatus

from api.kernel.errors import DomainError, InvalidInput, NotFound


class InsufficientCoins(DomainError):
    """The wallet, or the stake that is moved from, holds fewer coins than are wanted."""

    slug = "insufficient-coins"
    title = "Not enough coins"


class IdeaNotOpen(DomainError):
    """The idea takes and gives no coins in its present status."""

    slug = "idea-not-open"
    title = "The idea is not open for coins"


class UnknownIdea(DomainError):
    """No idea of this campaign that takes coins has this id."""

    status = HTTPStatus.NOT_FOUND
    slug = "unknown-idea"
    title = "No such idea in this campaign"


class AllocationWindowClosed(DomainError):
    """Coins move only within the window of the campaign and of its coin policy: from `opens_at` to `closes_at`."""

    slug = "allocation-window-closed"
    title = "Coins cannot be moved at this time"


class AboveMaximum(DomainError):
    """The stake would pass what a member may put on one idea."""

    slug = "above-maximum"
    title = "More than a member may put on one idea"


class BelowMinimum(DomainError):
    """Too few coins for one allocation, or a remainder that would be."""

    slug = "below-minimum"
    title = "Fewer than the least allocation"


class OwnIdea(DomainError):
    """The policy keeps members from backing their own ideas."""

    status = HTTPStatus.FORBIDDEN
    slug = "own-idea"
    title = "Own ideas cannot be backed in this campaign"


class TakeBackRefused(DomainError):
    """The policy lets coins move between ideas but not back into the wallet."""

    slug = "take-back-refused"
    title = "Coins cannot be taken back in this campaign"


class SameAccount(DomainError):
    """From an idea to the same idea is no movement."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "same-account"
    title = "Nothing would move"


class NotAMember(DomainError):
    """The caller has no wallet in this campaign."""

    status = HTTPStatus.FORBIDDEN
    slug = "not-a-member"
    title = "Not a member of this campaign"


class WalletFrozen(DomainError):
    """Who has left the campaign keeps the wallet and cannot use it."""

    status = HTTPStatus.FORBIDDEN
    slug = "wallet-frozen"
    title = "The wallet is frozen"


class KeyReused(DomainError):
    """The idempotency key belongs to another command."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "idempotency-key-reused"
    title = "The idempotency key was used for another request"


class LedgerBusy(DomainError):
    """Somebody else held the wallet or the idea until the deadline, or too many commands wait."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "ledger-busy"
    title = "The ledger is busy"
    headers = {"Retry-After": "1"}  # noqa: RUF012 - a constant of the class, as its parent declares


class PolicyFrozen(DomainError):
    """These fields cannot change any more: people have acted on them."""

    slug = "policy-frozen"
    title = "A part of the coin policy is frozen"


class UnknownLedger(NotFound):
    """No campaign with this id has a ledger."""

    slug = "unknown-ledger"
    title = "No such ledger"


class UnknownBlock(NotFound):
    """The chain is not that high; `height` is how high it is."""

    slug = "unknown-block"
    title = "No such block"


class InvalidHead(InvalidInput):
    """What was given as the head of a chain is not one."""

    slug = "invalid-head"
    title = "Not the head of a chain"
