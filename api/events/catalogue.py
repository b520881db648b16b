"""The catalogue of events: the payload of each kind, when it is recorded, who may see it, and its effect on coins.

`docs/events.md` is generated from it, the kinds of the audit trail are derived from it, and the constraint
`ck_events_kind` of the table is tested against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from api.events import (
    attachment_payloads,
    delivery_payloads,
    discussion_payloads,
    idea_payloads,
    payloads,
    sharing_payloads,
)
from api.events.kinds import Audience, EventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.events.payloads import Payload


@dataclass(frozen=True)
class Entry:
    """Properties of all events of one kind."""

    payload: type[Payload]
    when: str
    visible_to: Audience
    concerns_coins: bool = False  # the coin audit shows it
    moves_coins: bool = False  # its command can change balances

    @property
    def is_public(self) -> bool:
        """Whether everyone who may see the campaign may see it."""
        return self.visible_to is Audience.CAMPAIGN

    @property
    def is_personal(self) -> bool:
        """Whether it shows an action of one person, who is visible to others only if a rule allows it."""
        return self.visible_to in {Audience.POLICY, Audience.PERSON}


class UnknownVersion(Exception):
    """A stored event has a payload version that this code does not know."""


def _entry(payload: type[Payload], when: str, visible_to: Audience) -> Entry:
    return Entry(payload, when, visible_to)


def _coin_entry(payload: type[Payload], when: str, visible_to: Audience, *, moves_coins: bool = False) -> Entry:
    return Entry(payload, when, visible_to, concerns_coins=True, moves_coins=moves_coins)


_ENTRIES = (
    _entry(payloads.Registered, "A person registers.", Audience.PERSON),
    _entry(
        payloads.RegistrationRepeated, "A registration uses an address that has an account, confirmed or not.", Audience.PERSON
    ),
    _entry(payloads.Created, "An administrator, an import or the demo creates a user.", Audience.ADMINISTRATORS),
    _entry(payloads.Updated, "A user's own fields change.", Audience.PERSON),
    _entry(payloads.Deactivated, "A user is deactivated; their sessions end too.", Audience.ADMINISTRATORS),
    _entry(payloads.Reactivated, "A deactivated or deleted user may log in again.", Audience.ADMINISTRATORS),
    _entry(payloads.Invited, "An administrator invites a person, or repeats it.", Audience.ADMINISTRATORS),
    _entry(payloads.Deleted, "A user is deleted, by themselves or by an administrator.", Audience.ADMINISTRATORS),
    _entry(payloads.RightsChanged, "An administrator changes the roles or permissions of a user.", Audience.ADMINISTRATORS),
    _entry(payloads.AddressVerified, "A user opens the link that was mailed to their address.", Audience.PERSON),
    _entry(payloads.AddressChanged, "A user confirms a new address.", Audience.PERSON),
    _entry(payloads.PasswordResetRequested, "A person asks for a link to set a new password.", Audience.PERSON),
    _entry(payloads.PasswordChanged, "A user sets a new password.", Audience.PERSON),
    _entry(payloads.SessionsEnded, "All sessions of a user end.", Audience.PERSON),
    _entry(payloads.LoggedIn, "A log-in succeeds.", Audience.PERSON),
    _entry(payloads.LoggedOut, "A session is ended by its user.", Audience.PERSON),
    _entry(payloads.LogInFailed, "A log-in fails.", Audience.ADMINISTRATORS),
    _entry(payloads.RefreshTokenReused, "A refresh token that was used before is presented again.", Audience.PERSON),
    _entry(payloads.SecondFactorAdded, "A user adds an authenticator app or a passkey.", Audience.PERSON),
    _entry(payloads.SecondFactorRemoved, "A user removes an authenticator app or a passkey.", Audience.PERSON),
    _entry(
        payloads.SecondFactorsReset, "An administrator removes the second factors of a user who has lost them.",
        Audience.ADMINISTRATORS,
    ),
    _entry(payloads.SecondFactorFailed, "A code is wrong, or a passkey is not accepted.", Audience.ADMINISTRATORS),
    _entry(payloads.RecoveryCodesCreated, "A user receives new recovery codes.", Audience.PERSON),
    _entry(payloads.RecoveryCodeUsed, "A user logs in with a recovery code.", Audience.PERSON),
    _entry(payloads.Confirmed, "A logged-in user proves again who they are.", Audience.PERSON),
    _entry(payloads.SessionRefreshed, "A refresh token is exchanged for new tokens.", Audience.PERSON),
    _entry(
        payloads.ApiTokenCreated, "A user creates an API token, or an administrator one of a service account.",
        Audience.PERSON,
    ),
    _entry(payloads.ApiTokenRotated, "A token of a service account is replaced.", Audience.ADMINISTRATORS),
    _entry(
        payloads.ApiTokenRevoked,
        "A token is revoked. The deactivation of its owner ends tokens without an event of their own.", Audience.PERSON,
    ),
    _entry(payloads.ServiceAccountCreated, "An administrator creates a service account.", Audience.ADMINISTRATORS),
    _entry(
        payloads.ServiceAccountChanged, "The name, the scopes or the owner of a service account changes.",
        Audience.ADMINISTRATORS,
    ),
    _entry(payloads.ServiceAccountDeactivated, "A service account is deactivated.", Audience.ADMINISTRATORS),
    _entry(
        payloads.RequestRefused,
        "A request is refused for lack of a right. Equal refusals are counted, and recorded as one event in ten minutes.",
        Audience.ADMINISTRATORS,
    ),
    _entry(
        payloads.PersonalDataRead, "An administrator or a manager reads data of many persons.", Audience.ADMINISTRATORS
    ),
    _entry(payloads.IdentityLinked, "A first log-in by a provider creates an account or uses one.", Audience.PERSON),
    _entry(payloads.IdentityUnlinked, "An administrator removes an identity of a user.", Audience.PERSON),
    _entry(payloads.LoggedOutByProvider, "A provider reports that a user has logged out there.", Audience.PERSON),
    _coin_entry(payloads.CampaignCreated, "A campaign is created as a draft.", Audience.MANAGERS),
    _coin_entry(
        payloads.CampaignActivated, "A draft becomes active; its members receive their coins.", Audience.CAMPAIGN,
        moves_coins=True,
    ),
    _coin_entry(
        payloads.CampaignDatesChanged,
        "The dates of a campaign change; a closed one with a later end becomes active again.", Audience.CAMPAIGN,
    ),
    _coin_entry(
        payloads.CampaignClosed, "The end of a campaign has passed; recorded by the worker, without an actor.",
        Audience.CAMPAIGN,
    ),
    _coin_entry(
        payloads.CampaignCompleted,
        "An active or closed campaign is completed, by a manager or at decide_by; its coins expire.", Audience.CAMPAIGN,
        moves_coins=True,
    ),
    _entry(payloads.CampaignEdited, "A manager changes the texts or settings of a campaign.", Audience.MANAGERS),
    _coin_entry(payloads.CampaignPaused, "A manager pauses a campaign; coins do not move.", Audience.CAMPAIGN),
    _coin_entry(payloads.CampaignResumed, "A manager ends the pause of a campaign.", Audience.CAMPAIGN),
    _entry(payloads.CampaignDeleted, "A manager deletes a draft.", Audience.MANAGERS),
    _coin_entry(payloads.CampaignArchived, "A campaign is archived.", Audience.MANAGERS),
    _coin_entry(
        payloads.ElectionImported, "An election's file is imported as a campaign; the only event of the import.",
        Audience.CAMPAIGN, moves_coins=True,
    ),
    _coin_entry(
        payloads.MemberJoined, "A person joins a campaign or is added to it; in an active one they receive coins.",
        Audience.MANAGERS, moves_coins=True,
    ),
    _coin_entry(payloads.MemberLeft, "A member leaves; the wallet is frozen.", Audience.MANAGERS),
    _coin_entry(
        payloads.MemberRemoved,
        "A manager removes a member; the stakes on open ideas return to the wallet, which is frozen. Each returned stake is "
        "also an event coins_taken_back of the manager.", Audience.MANAGERS, moves_coins=True,
    ),
    _coin_entry(
        payloads.MemberRoleChanged,
        "The role of a member changes. The wallet of an observer is frozen; an observer who becomes a member in an active "
        "campaign receives coins.", Audience.MANAGERS, moves_coins=True,
    ),
    _entry(
        payloads.MemberAttributesChanged, "A manager or the member changes the attributes of a member.", Audience.MANAGERS
    ),
    _entry(
        payloads.MemberInvited,
        "A manager invites an address, changes what a pending invitation gives, or has it mailed again.",
        Audience.MANAGERS,
    ),
    _entry(payloads.InvitationRevoked, "A manager revokes an invitation.", Audience.MANAGERS),
    _entry(payloads.InvitationAccepted, "A person accepts an invitation.", Audience.MANAGERS),
    _entry(payloads.JoinRequested, "A person asks to join a campaign.", Audience.MANAGERS),
    _entry(payloads.JoinRequestApproved, "A manager approves a request to join.", Audience.MANAGERS),
    _entry(payloads.JoinRequestRefused, "A manager refuses a request to join.", Audience.MANAGERS),
    _entry(payloads.JoinRequestWithdrawn, "A person withdraws their request to join.", Audience.MANAGERS),
    _entry(
        payloads.MemberAttributeDefined,
        "A manager creates, changes or deletes an attribute that the campaign defines for its members.", Audience.MANAGERS,
    ),
    _coin_entry(payloads.CoinPolicyChanged, "A new version of the coin policy takes effect.", Audience.CAMPAIGN),
    _coin_entry(
        payloads.CoinsGranted, "A bulk call grants a member the policy's coins.", Audience.MANAGERS, moves_coins=True
    ),
    _coin_entry(
        payloads.CoinsCorrected, "A bulk call corrects a member's wallet.", Audience.MANAGERS, moves_coins=True
    ),
    _coin_entry(
        payloads.CoinsAllocated, "A member puts coins on an idea; not in an import.", Audience.POLICY, moves_coins=True
    ),
    _coin_entry(
        payloads.CoinsReallocated, "A member moves coins from one idea to another.", Audience.POLICY, moves_coins=True
    ),
    _coin_entry(
        payloads.CoinsTakenBack, "A member takes coins back from an idea, or a manager removes the member.", Audience.POLICY, moves_coins=True
    ),
    _coin_entry(
        payloads.CoinsSettled, "A settlement in the background is finished.", Audience.MANAGERS, moves_coins=True
    ),
    _entry(idea_payloads.IdeaDrafted, "A person saves a new draft of an idea.", Audience.PERSON),
    _entry(idea_payloads.IdeaDraftEdited, "The author changes a draft.", Audience.PERSON),
    _entry(idea_payloads.IdeaDraftDeleted, "The author deletes a draft.", Audience.PERSON),
    _coin_entry(payloads.IdeaSubmitted, "An idea is submitted.", Audience.AUTHOR),
    _entry(payloads.IdeaEdited, "The text or the tags of a submitted idea change.", Audience.AUTHOR),
    _entry(idea_payloads.IdeaChangesRequested, "A manager asks the author to change a pending idea.", Audience.AUTHOR),
    _coin_entry(payloads.IdeaApproved, "A pending idea starts to compete.", Audience.CAMPAIGN),
    _coin_entry(
        payloads.IdeaRejected, "An idea is rejected; its coins are returned.", Audience.AUTHOR, moves_coins=True
    ),
    _coin_entry(
        payloads.IdeaWithdrawn, "An idea is withdrawn; its coins are returned.", Audience.AUTHOR, moves_coins=True
    ),
    _coin_entry(
        payloads.IdeaAccepted, "An idea is accepted; its coins expire.", Audience.CAMPAIGN, moves_coins=True
    ),
    _coin_entry(
        payloads.IdeaAcceptanceUndone, "An acceptance is undone; the expired coins are restored.", Audience.CAMPAIGN,
        moves_coins=True,
    ),
    _entry(payloads.IdeaStarted, "Delivery of an accepted idea starts.", Audience.CAMPAIGN),
    _entry(payloads.IdeaCompleted, "An idea is delivered.", Audience.CAMPAIGN),
    _entry(payloads.IdeaStopped, "Delivery of an idea is stopped.", Audience.CAMPAIGN),
    _coin_entry(
        payloads.IdeaNotSelected, "A campaign is completed without a decision about the idea.", Audience.CAMPAIGN,
        moves_coins=True,
    ),
    _entry(payloads.IdeaValued, "A cost or a value of an idea is recorded.", Audience.MANAGERS),
    _entry(idea_payloads.TagCreated, "A tag of a campaign is created.", Audience.CAMPAIGN),
    _entry(idea_payloads.TagEdited, "The name, colour, place or another field of a tag changes.", Audience.CAMPAIGN),
    _entry(idea_payloads.TagsMerged, "A tag is merged into another one.", Audience.CAMPAIGN),
    _entry(idea_payloads.TagDeleted, "A tag that no idea has is deleted.", Audience.CAMPAIGN),
    _entry(
        idea_payloads.RejectionReasonsChanged, "The reasons for which ideas of a campaign are rejected change.", Audience.CAMPAIGN
    ),
    _entry(discussion_payloads.CommentWritten, "A comment on an idea is written.", Audience.IDEA),
    _entry(discussion_payloads.CommentEdited, "The author of a comment changes its text.", Audience.IDEA),
    _entry(discussion_payloads.CommentDeleted, "The author of a comment deletes it.", Audience.IDEA),
    _entry(discussion_payloads.CommentHidden, "A manager hides a comment, for a reason.", Audience.AUTHOR),
    _entry(discussion_payloads.CommentShown, "A manager shows a hidden comment again.", Audience.AUTHOR),
    _entry(
        discussion_payloads.OfficialAnswerChanged, "Another comment, or none, becomes the official answer on an idea.",
        Audience.IDEA,
    ),
    _entry(discussion_payloads.NoteWritten, "An internal note on an idea is written.", Audience.MANAGERS),
    _entry(discussion_payloads.NoteEdited, "The author of an internal note changes its text.", Audience.MANAGERS),
    _entry(discussion_payloads.NoteDeleted, "The author of an internal note deletes it.", Audience.MANAGERS),
    _entry(discussion_payloads.IdeaFollowed, "A person follows an idea.", Audience.PERSON),
    _entry(discussion_payloads.IdeaUnfollowed, "A person stops following an idea.", Audience.PERSON),
    _entry(
        delivery_payloads.OwnerChanged, "Another member, or none, becomes responsible for an idea.", Audience.IDEA
    ),
    _entry(delivery_payloads.MilestoneAdded, "A milestone of an idea is added.", Audience.IDEA),
    _entry(
        delivery_payloads.MilestoneChanged, "A milestone changes: its title, dates or position, or it is done.",
        Audience.IDEA,
    ),
    _entry(delivery_payloads.MilestoneDeleted, "A milestone of an idea is deleted.", Audience.IDEA),
    _entry(attachment_payloads.AttachmentAdded, "A picture or another file is attached to an idea.", Audience.IDEA),
    _entry(attachment_payloads.AttachmentDeleted, "An attachment is removed from an idea.", Audience.IDEA),
    _coin_entry(
        idea_payloads.IdeaMarkedMaterial,
        "A manager marks an edit as material; backers may take their coins back for some time.", Audience.IDEA,
    ),
    _entry(
        idea_payloads.FreeTagConverted, "Ideas with a free tag get a defined tag in its place.", Audience.CAMPAIGN
    ),
    _coin_entry(
        idea_payloads.IdeasMerged, "An idea is merged into another one, with its coins; one event for each idea.",
        Audience.IDEA, moves_coins=True,
    ),
    _coin_entry(
        idea_payloads.MergeUndone, "A merge is undone; one event for each idea that was merged.", Audience.IDEA,
        moves_coins=True,
    ),
    _entry(
        attachment_payloads.CoverChanged, "A manager sets, replaces or removes the cover picture of a campaign.",
        Audience.CAMPAIGN,
    ),
    _entry(sharing_payloads.IdeaShared, "A person gets the first link to an idea, or a new one after a revocation.", Audience.MANAGERS),
    _entry(sharing_payloads.IdeaLinkRevoked, "A manager revokes the link to an idea.", Audience.MANAGERS),
    _entry(
        payloads.DataCommandSent, "A person launches runs or changes something else on Dagster's page.",
        Audience.ADMINISTRATORS,
    ),
)  # fmt: skip

CATALOGUE: Mapping[EventKind, Entry] = MappingProxyType({entry.payload.kind: entry for entry in _ENTRIES})
assert list(CATALOGUE) == list(EventKind), "every kind has one entry, in the order of the enum"


def kinds_where(*, concerns_coins: bool | None = None, is_personal: bool | None = None) -> tuple[EventKind, ...]:
    """The kinds with these flags; None matches both values."""
    return tuple(
        kind
        for kind, entry in CATALOGUE.items()
        if concerns_coins in {None, entry.concerns_coins} and is_personal in {None, entry.is_personal}
    )


def parse_payload(kind: str, version: int, data: object) -> Payload:
    """The payload of a stored event, from its JSON.

    Unknown fields are omitted: a later version of the code may add fields without a new payload version.

    Raises:
        UnknownVersion: the event was written by another version of the code.
        pydantic.ValidationError: the data does not fit the payload.
    """
    payload = CATALOGUE[EventKind(kind)].payload
    if version != payload.version:
        msg = f"{kind} has version {version}; this code knows {payload.version}"
        raise UnknownVersion(msg)
    return payload.model_validate_json(orjson.dumps(data), extra="ignore")
