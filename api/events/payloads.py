"""The payload of each kind of event: what changed, without personal data except ids.

Payloads use plain types, because events are below all domains. `before` and `after` have the same names, with the
values before and after the command; both are omitted if the command changed none of them. The stored JSON omits fields
without a value.

Readers ignore unknown fields, so that an optional field can be added while an earlier version runs. Any other change of
the fields is a new `version` of the payload.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from api.events.kinds import EventKind

State = TypeVar("State")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Payload(_Strict):
    """The data of an event of one kind, in addition to its ids."""

    kind: ClassVar[EventKind]
    version: ClassVar[int] = 1

    def as_data(self) -> dict[str, Any]:
        """The stored JSON object."""
        return self.model_dump(mode="json", exclude_none=True)


class Change(Payload, Generic[State]):
    """A payload that reports a state before and after."""

    before: State | None = None
    after: State | None = None


class Registered(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_REGISTERED


class RegistrationRepeated(Payload):
    """No data except the id of the user who has the address."""

    kind = EventKind.REGISTRATION_REPEATED


class Created(Payload):
    """The initial roles and permissions of the user."""

    kind = EventKind.USER_CREATED
    roles: tuple[str, ...]
    permissions: tuple[str, ...]


class Updated(Payload):
    """The names of the changed fields, not their values."""

    kind = EventKind.USER_UPDATED
    fields: tuple[str, ...]


class Deactivated(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_DEACTIVATED


class Reactivated(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_REACTIVATED


class Invited(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_INVITED


class Deleted(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_DELETED


class RightsChanged(Payload):
    """The roles and permissions after the change."""

    kind = EventKind.USER_RIGHTS_CHANGED
    roles: tuple[str, ...]
    permissions: tuple[str, ...]


class AddressVerified(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_ADDRESS_VERIFIED


class AddressChanged(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_ADDRESS_CHANGED


class PasswordResetRequested(Payload):
    """No data except the user's id, which is missing for an unknown address."""

    kind = EventKind.PASSWORD_RESET_REQUESTED


class PasswordChanged(Payload):
    """Whether the owner used a link that was mailed, instead of the old password."""

    kind = EventKind.PASSWORD_CHANGED
    is_reset: bool


class SessionsEnded(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_SESSIONS_ENDED


class LoggedIn(Payload):
    """The kind of session that began, and how the user was identified.

    `factor` is that of the second step, if there was one, or `passkey`; `provider` is the identity provider.
    """

    kind = EventKind.USER_LOGGED_IN
    session_kind: str
    factor: str | None = None
    provider: str | None = None


class SecondFactorAdded(Payload):
    """`authenticator_app` or `passkey`."""

    kind = EventKind.SECOND_FACTOR_ADDED
    factor: str


class SecondFactorRemoved(Payload):
    """`authenticator_app` or `passkey`."""

    kind = EventKind.SECOND_FACTOR_REMOVED
    factor: str


class SecondFactorsReset(Payload):
    """No data except the user's id."""

    kind = EventKind.SECOND_FACTORS_RESET


class SecondFactorFailed(Payload):
    """No data except the user's id, which is missing for a passkey that is not known."""

    kind = EventKind.SECOND_FACTOR_FAILED


class RecoveryCodesCreated(Payload):
    """No data except the user's id."""

    kind = EventKind.RECOVERY_CODES_CREATED


class RecoveryCodeUsed(Payload):
    """No data except the user's id."""

    kind = EventKind.RECOVERY_CODE_USED


class Confirmed(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_CONFIRMED


class LoggedOut(Payload):
    """No data except the user's id."""

    kind = EventKind.USER_LOGGED_OUT


class LogInFailed(Payload):
    """The provider of the log-in, and why it failed. The user's id is missing for an unknown address."""

    kind = EventKind.LOG_IN_FAILED
    provider: str | None = None
    reason: str | None = None


class RefreshTokenReused(Payload):
    """Whether the session was ended; false for two requests that were sent at the same time."""

    kind = EventKind.REFRESH_TOKEN_REUSED
    session_ended: bool


class SessionRefreshed(Payload):
    """The session whose refresh token was exchanged."""

    kind = EventKind.SESSION_REFRESHED
    session_id: UUID


class ApiTokenCreated(Payload):
    """The new token. Without a service account it is a token of the user."""

    kind = EventKind.API_TOKEN_CREATED
    created_token_id: UUID
    service_account_id: UUID | None = None
    scopes: tuple[str, ...]
    expires_at: datetime


class ApiTokenRotated(Payload):
    """The replaced token of a service account with its new expiry, and the new token."""

    kind = EventKind.API_TOKEN_ROTATED
    old_token_id: UUID
    old_expires_at: datetime
    new_token_id: UUID
    service_account_id: UUID


class ApiTokenRevoked(Payload):
    """The revoked token. Without a service account it is a token of the user."""

    kind = EventKind.API_TOKEN_REVOKED
    revoked_token_id: UUID
    service_account_id: UUID | None = None


class ServiceAccountCreated(Payload):
    """The account, its scopes, and the person who answers for it."""

    kind = EventKind.SERVICE_ACCOUNT_CREATED
    service_account_id: UUID
    scopes: tuple[str, ...]
    owner_id: UUID


class ServiceAccountChanged(Payload):
    """The names of the changed fields, and the scopes after the change."""

    kind = EventKind.SERVICE_ACCOUNT_CHANGED
    service_account_id: UUID
    fields: tuple[str, ...]
    scopes: tuple[str, ...]


class ServiceAccountDeactivated(Payload):
    """The account, whose tokens were revoked."""

    kind = EventKind.SERVICE_ACCOUNT_DEACTIVATED
    service_account_id: UUID


class RequestRefused(Payload):
    """The operation, the problem of the response, and the number of equal refusals that the event counts."""

    kind = EventKind.REQUEST_REFUSED
    operation: str
    problem: str
    status: int
    times: int


class PersonalDataRead(Payload):
    """What was read, with the names of the filters that were used, and the number of rows, if it is known."""

    kind = EventKind.PERSONAL_DATA_READ
    what: str
    filters: tuple[str, ...] = ()
    rows: int | None = None


class IdentityLinked(Payload):
    """The provider, and whether the account was created by this log-in."""

    kind = EventKind.IDENTITY_LINKED
    provider: str
    is_new_account: bool


class IdentityUnlinked(Payload):
    """The issuer of the identity."""

    kind = EventKind.IDENTITY_UNLINKED
    issuer: str


class LoggedOutByProvider(Payload):
    """The provider, and the number of sessions that ended."""

    kind = EventKind.USER_LOGGED_OUT_BY_PROVIDER
    provider: str
    sessions: int


class CampaignState(_Strict):
    """A campaign's status, the coins in all its wallets, and the policy of a new campaign."""

    status: str
    wallet_coins: int | None = None
    coin_policy: dict[str, JsonValue] | None = None


class CampaignCreated(Change[CampaignState]):
    """Whether the creator chose the slug."""

    kind = EventKind.CAMPAIGN_CREATED
    slug_given: bool


class CampaignActivated(Change[CampaignState]):
    """How many members received their coins."""

    kind = EventKind.CAMPAIGN_ACTIVATED
    members_granted: int


class CampaignDatesState(_Strict):
    """A campaign's status, and those of its dates that are set."""

    status: str
    starts_at: datetime | None = None
    submissions_close_at: datetime | None = None
    ends_at: datetime | None = None
    decide_by: datetime | None = None


class CampaignDatesChanged(Change[CampaignDatesState]):
    """Status and dates. The status differs if a closed campaign becomes active again."""

    kind = EventKind.CAMPAIGN_DATES_CHANGED


class CampaignClosed(Change[CampaignState]):
    """The end that passed; it is also the time at which the event occurred."""

    kind = EventKind.CAMPAIGN_CLOSED
    ends_at: datetime


class CampaignCompleted(Change[CampaignState]):
    """Whether a settlement is still emptying the wallets in the background."""

    kind = EventKind.CAMPAIGN_COMPLETED
    is_settling: bool


class CampaignEdited(Payload):
    """The names of the changed fields, not their values; dates have an event of their own."""

    kind = EventKind.CAMPAIGN_EDITED
    fields: tuple[str, ...]


class CampaignPaused(Change[CampaignState]):
    """The status before and after."""

    kind = EventKind.CAMPAIGN_PAUSED


class CampaignResumed(Change[CampaignState]):
    """The status before and after."""

    kind = EventKind.CAMPAIGN_RESUMED


class CampaignDeleted(Payload):
    """No data except the campaign's id."""

    kind = EventKind.CAMPAIGN_DELETED


class CampaignArchived(Change[CampaignState]):
    """The status."""

    kind = EventKind.CAMPAIGN_ARCHIVED


class ElectionImported(Payload):
    """The file and the size of its content. It represents all events of the import."""

    kind = EventKind.ELECTION_IMPORTED
    election_key: str
    file_name: str
    sha256: str
    ideas: int
    ballots: int
    allocations: int
    coins: int
    differences: int


class WalletState(_Strict):
    """The state of a member's wallet."""

    wallet_coins: int
    is_frozen: bool


class MemberJoined(Change[WalletState]):
    """The role, and the coins granted now."""

    kind = EventKind.MEMBER_JOINED
    role: str
    granted_coins: int = 0


class MemberLeft(Change[WalletState]):
    """The wallet, which is frozen."""

    kind = EventKind.MEMBER_LEFT


class MemberRemoved(Change[WalletState]):
    """The wallet: the stakes on open ideas return to it, and it is frozen."""

    kind = EventKind.MEMBER_REMOVED


class RoleState(_Strict):
    """A member's role; the wallet if its state changes with the role."""

    role: str
    wallet_coins: int | None = None
    is_frozen: bool | None = None


class MemberRoleChanged(Change[RoleState]):
    """The role, and the coins granted now: to an observer who becomes a member."""

    kind = EventKind.MEMBER_ROLE_CHANGED
    granted_coins: int | None = None


class MemberAttributesChanged(Payload):
    """The names of the attributes that were set, changed or removed, not their values."""

    kind = EventKind.MEMBER_ATTRIBUTES_CHANGED
    names: tuple[str, ...]


class MemberInvited(Payload):
    """The invitation, the role that it gives, and whether a mail with a new link was ordered."""

    kind = EventKind.MEMBER_INVITED
    invitation_id: UUID
    role: str
    is_mailed: bool


class InvitationRevoked(Payload):
    """The invitation."""

    kind = EventKind.INVITATION_REVOKED
    invitation_id: UUID


class InvitationAccepted(Payload):
    """The invitation; the membership, if the user was no member yet, is an event of its own."""

    kind = EventKind.INVITATION_ACCEPTED
    invitation_id: UUID


class _OfJoinRequest(Payload):
    join_request_id: UUID


class JoinRequested(_OfJoinRequest):
    """The request."""

    kind = EventKind.JOIN_REQUESTED


class JoinRequestApproved(_OfJoinRequest):
    """The request; the membership is an event of its own."""

    kind = EventKind.JOIN_REQUEST_APPROVED


class JoinRequestRefused(_OfJoinRequest):
    """The request, not the reason."""

    kind = EventKind.JOIN_REQUEST_REFUSED


class JoinRequestWithdrawn(_OfJoinRequest):
    """The request."""

    kind = EventKind.JOIN_REQUEST_WITHDRAWN


DefinitionAction = Literal["created", "edited", "deleted"]


class MemberAttributeDefined(Payload):
    """The attribute, its changed fields, and the number of people whose value was removed."""

    kind = EventKind.MEMBER_ATTRIBUTE_DEFINED
    attribute_id: UUID
    key: str
    action: DefinitionAction
    changed: tuple[str, ...] = ()
    members: int = 0


class CoinPolicyChanged(Change[dict[str, JsonValue]]):
    """The number of the new version; before and after have the fields that differ."""

    kind = EventKind.COIN_POLICY_CHANGED
    policy_version: int


class _WalletChanged(Payload):
    transfer_id: UUID
    coins: int
    reason: str | None = None
    wallet_before_coins: int
    wallet_after_coins: int


class CoinsGranted(_WalletChanged):
    """A grant by a bulk call, and the balance of the wallet after it."""

    kind = EventKind.COINS_GRANTED


class CoinsCorrected(_WalletChanged):
    """A correction with its reason, and the balance of the wallet after it."""

    kind = EventKind.COINS_CORRECTED


class _Moved(Payload):
    transfer_id: UUID
    coins: int
    from_idea_id: UUID | None
    to_idea_id: UUID | None


class CoinsAllocated(_Moved):
    """A transfer from the wallet to an idea; the balances are in its postings."""

    kind = EventKind.COINS_ALLOCATED


class CoinsReallocated(_Moved):
    """A transfer from one idea to another; the balances are in its postings."""

    kind = EventKind.COINS_REALLOCATED


class CoinsTakenBack(_Moved):
    """A transfer from an idea to the wallet; the balances are in its postings."""

    kind = EventKind.COINS_TAKEN_BACK


class SettlementState(_Strict):
    """The progress of a settlement."""

    is_settling: bool
    stake_coins: int


class CoinsSettled(Change[SettlementState]):
    """The settlement, and the number of its transfers."""

    kind = EventKind.COINS_SETTLED
    settlement_id: UUID
    settlement: Literal["expire", "return", "settle"]
    transfers: int
    requested_at: datetime
    ideas: int
    wallets_emptied: bool


class IdeaState(_Strict):
    """An idea's status, and its stakes if the step changes them."""

    status: str
    stake_coins: int | None = None
    backers: int | None = None
    is_settling: bool | None = None


class IdeaSubmitted(Change[IdeaState]):
    """The initial status of the idea."""

    kind = EventKind.IDEA_SUBMITTED


class IdeaEdited(Payload):
    """The number of the new version, the names of the changed fields, and the number of a restored version."""

    kind = EventKind.IDEA_EDITED
    idea_version: int
    changed: tuple[str, ...]
    reason_given: bool | None = None
    restored_version: int | None = None


class IdeaStep(Change[IdeaState]):
    """Whether a reason was given; its text is stored with the idea."""

    reason_given: bool


class IdeaApproved(IdeaStep):
    """The step, and whether a reason was given."""

    kind = EventKind.IDEA_APPROVED


class IdeaRejected(IdeaStep):
    """The step, whether a reason was given, and its code."""

    kind = EventKind.IDEA_REJECTED
    reason_code: str | None = None


class IdeaWithdrawn(IdeaStep):
    """The step, and whether a reason was given."""

    kind = EventKind.IDEA_WITHDRAWN


class IdeaAccepted(IdeaStep):
    """The step, and whether a reason was given."""

    kind = EventKind.IDEA_ACCEPTED


class IdeaAcceptanceUndone(IdeaStep):
    """The step, and whether a reason was given."""

    kind = EventKind.IDEA_ACCEPTANCE_UNDONE


class IdeaStarted(IdeaStep):
    """The step, and whether a reason was given."""

    kind = EventKind.IDEA_STARTED


class IdeaCompleted(IdeaStep):
    """The step, and whether a reason was given."""

    kind = EventKind.IDEA_COMPLETED


class IdeaStopped(IdeaStep):
    """The step, and whether a reason was given."""

    kind = EventKind.IDEA_STOPPED


class IdeaNotSelected(IdeaStep):
    """The step, and whether a reason was given."""

    kind = EventKind.IDEA_NOT_SELECTED


class IdeaValued(Payload):
    """The recorded valuation."""

    kind = EventKind.IDEA_VALUED
    valuation_id: UUID
    valuation: str
    amount: Decimal
    currency: str


class DataCommandSent(Payload):
    """Names of the commands in Dagster's GraphQL, e.g. launchRun, and the jobs that they name."""

    kind = EventKind.DATA_COMMAND_SENT
    commands: tuple[str, ...]
    jobs: tuple[str, ...]
