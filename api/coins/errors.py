"""Refusals of the ledger, with the amounts that a client needs to correct its request."""

from __future__ import annotations

from http import HTTPStatus

from api.kernel.errors import DomainError, InvalidInput, NotFound


class InsufficientCoins(DomainError):
    """The wallet or stake that the coins are taken from has fewer coins than requested."""

    slug = "insufficient-coins"
    title = "Not enough coins"


class IdeaNotOpen(DomainError):
    """Coins cannot be moved to or from the idea in its current status."""

    slug = "idea-not-open"
    title = "The idea is not open for coins"


class UnknownIdea(DomainError):
    """No idea of this campaign that takes coins has this id."""

    status = HTTPStatus.NOT_FOUND
    slug = "unknown-idea"
    title = "No such idea in this campaign"


class AllocationWindowClosed(DomainError):
    """Coins can be moved only in the window of the campaign and its coin policy: from `opens_at` to `closes_at`."""

    slug = "allocation-window-closed"
    title = "Coins cannot be moved at this time"


class AboveMaximum(DomainError):
    """The stake would exceed the maximum that a member may put on one idea."""

    slug = "above-maximum"
    title = "More than the maximum per member and idea"


class BelowMinimum(DomainError):
    """The allocation, or the coins that remain on the idea, would be below the minimum."""

    slug = "below-minimum"
    title = "Less than the minimum allocation"


class OwnIdea(DomainError):
    """The coin policy does not allow members to back their own ideas."""

    status = HTTPStatus.FORBIDDEN
    slug = "own-idea"
    title = "Own ideas cannot be backed in this campaign"


class TakeBackRefused(DomainError):
    """The coin policy does not allow coins to be taken back, or only until `take_back_until`."""

    slug = "take-back-refused"
    title = "Coins cannot be taken back in this campaign"


class CoolingDown(DomainError):
    """The coins of a member stay on an idea for `move_cooldown_s` after each movement; they can move from `movable_at`."""

    slug = "cooling-down"
    title = "The coins moved a short time ago"


class SameAccount(DomainError):
    """The coins would be moved from an idea to the same idea."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "same-account"
    title = "Nothing would move"


class NotAMember(DomainError):
    """The caller has no wallet in this campaign."""

    status = HTTPStatus.FORBIDDEN
    slug = "not-a-member"
    title = "Not a member of this campaign"


class WalletFrozen(DomainError):
    """The caller has left the campaign; the wallet is kept but cannot be used."""

    status = HTTPStatus.FORBIDDEN
    slug = "wallet-frozen"
    title = "The wallet is frozen"


class KeyReused(DomainError):
    """The idempotency key was used for another command."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "idempotency-key-reused"
    title = "The idempotency key was used for another request"


class GraceRunning(DomainError):
    """Backers may take their coins back after a material edit; no decision on the idea is possible until `grace_until`."""

    slug = "grace-running"
    title = "Backers may still take their coins back"


class DecisionTooEarly(DomainError):
    """The coin policy decides after the end of allocation, `closes_at`; null if neither campaign nor policy have one."""

    slug = "decision-too-early"
    title = "Ideas are decided after the end of allocation"


class TooLittleSupport(DomainError):
    """The idea has fewer coins or fewer backers than the coin policy demands of an accepted idea."""

    slug = "too-little-support"
    title = "Too little support to be accepted"


class WithdrawnTooLate(DomainError):
    """The coin policy let authors withdraw their ideas until `author_withdraw_until`."""

    slug = "withdrawn-too-late"
    title = "The idea can no longer be withdrawn by its author"


class LedgerBusy(DomainError):
    """The wallet or the idea was locked until the deadline, or too many commands are waiting."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "ledger-busy"
    title = "The ledger is busy"
    headers = {"Retry-After": "1"}  # noqa: RUF012 - a constant of the class, as its parent declares


class PolicyFrozen(DomainError):
    """These fields can no longer be changed, because members have relied on them."""

    slug = "policy-frozen"
    title = "A part of the coin policy is frozen"


class UnknownLedger(NotFound):
    """No campaign with this id has a ledger."""

    slug = "unknown-ledger"
    title = "No such ledger"


class UnknownBlock(NotFound):
    """The chain has no block of this number; `height` is the number of its last block."""

    slug = "unknown-block"
    title = "No such block"


class InvalidHead(InvalidInput):
    """The given text is not the head of a chain."""

    slug = "invalid-head"
    title = "Not the head of a chain"
