"""The catalogue of roles and permissions, and the table of the permissions that each role grants.

A system role is stored in the user's row and a campaign role in the membership; a relation is computed for each
request. A caller has the permissions of all roles and relations together. `docs/permissions.md` is generated from this
module, and the check constraints of the database are tested against it.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class SystemRole(StrEnum):
    """A role in the whole installation, stored in `users.roles`."""

    SYSTEM_ADMIN = "system_admin"
    EXECUTIVE = "executive"
    DATA_ENGINEER = "data_engineer"
    DATA_VIEWER = "data_viewer"


class CampaignRole(StrEnum):
    """A role in one campaign, stored in `memberships.role`."""

    MANAGER = "manager"
    MODERATOR = "moderator"
    MEMBER = "member"
    OBSERVER = "observer"


class Relation(StrEnum):
    """A relation between a caller and one resource; it is not stored."""

    AUTHOR = "author"
    VISITOR = "visitor"


class Permission(StrEnum):
    """Something that a caller may do."""

    MANAGE_USERS = "manage_users"
    VIEW_AUDIT = "view_audit"
    CREATE_CAMPAIGN = "create_campaign"
    VIEW_CAMPAIGN = "view_campaign"
    JOIN_CAMPAIGN = "join_campaign"
    LEAVE_CAMPAIGN = "leave_campaign"
    MANAGE_CAMPAIGN = "manage_campaign"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_COIN_POLICY = "manage_coin_policy"
    MOVE_COINS = "move_coins"
    GRANT_COINS = "grant_coins"
    VIEW_COIN_FIGURES = "view_coin_figures"
    VIEW_COIN_AUDIT = "view_coin_audit"
    VIEW_STAKES = "view_stakes"
    VIEW_REPORT = "view_report"
    SUBMIT_IDEA = "submit_idea"
    VIEW_ALL_IDEAS = "view_all_ideas"
    APPROVE_IDEAS = "approve_ideas"
    EDIT_IDEA = "edit_idea"
    WITHDRAW_IDEA = "withdraw_idea"
    MANAGE_IDEAS = "manage_ideas"
    TAG_IDEAS = "tag_ideas"
    COMMENT = "comment"
    MODERATE_COMMENTS = "moderate_comments"
    VIEW_NOTES = "view_notes"
    FOLLOW_IDEAS = "follow_ideas"
    VIEW_DATA_PLATFORM = "view_data_platform"
    COMMAND_DATA_PLATFORM = "command_data_platform"


Role = SystemRole | CampaignRole | Relation

DESCRIPTIONS: Mapping[Role | Permission, str] = MappingProxyType(
    {
        SystemRole.SYSTEM_ADMIN: "administers the installation; this role gives no coins and no ideas",
        SystemRole.EXECUTIVE: "reads the figures and reports of all campaigns; changes nothing",
        SystemRole.DATA_ENGINEER: "runs the data platform and reads its figures; has no access to campaigns by this role",
        SystemRole.DATA_VIEWER: "reads the figures and the state of the data platform; changes nothing",
        CampaignRole.MANAGER: "runs the campaign, and is a member of it",
        CampaignRole.MODERATOR: "a member who also sees all ideas and approves them",
        CampaignRole.MEMBER: "takes part in the campaign",
        CampaignRole.OBSERVER: "reads what members read; has no coins and changes nothing",
        Relation.AUTHOR: "submitted the idea",
        Relation.VISITOR: "visits a public campaign: open to all, and not a draft",
        Permission.MANAGE_USERS: "list accounts, change their roles, deactivate them and end their sessions",
        Permission.VIEW_AUDIT: "search and export the audit trail of the whole installation",
        Permission.CREATE_CAMPAIGN: "create a campaign and become its manager; can be given to one user",
        Permission.VIEW_CAMPAIGN: "see the campaign, its coin policies and its public ideas",
        Permission.JOIN_CAMPAIGN: "become a member of a campaign that is open to join",
        Permission.LEAVE_CAMPAIGN: "end one's own membership",
        Permission.MANAGE_CAMPAIGN: "activate, complete and archive the campaign, and change its dates",
        Permission.MANAGE_MEMBERS: "list, add and remove members, and set their role",
        Permission.MANAGE_COIN_POLICY: "set a new version of the coin policy",
        Permission.MOVE_COINS: "allocate and reallocate the coins of one's own wallet",
        Permission.GRANT_COINS: "grant coins to members and correct their wallets",
        Permission.VIEW_COIN_FIGURES: "read the statistics and the verification of the ledger",
        Permission.VIEW_COIN_AUDIT: "read the audit trail of the coins",
        Permission.VIEW_STAKES: "read who has staked coins on an idea, if the coin policy allows it",
        Permission.VIEW_REPORT: "download the report of the campaign",
        Permission.SUBMIT_IDEA: "submit an idea",
        Permission.VIEW_ALL_IDEAS: "see pending, rejected and withdrawn ideas; drafts are visible to their author only",
        Permission.APPROVE_IDEAS: "approve ideas, and ask their authors for changes",
        Permission.EDIT_IDEA: "change the text of the idea while its status and the coin policy allow it",
        Permission.WITHDRAW_IDEA: "withdraw the idea; also requires a membership",
        Permission.MANAGE_IDEAS: "reject, accept, deliver, value and correct ideas",
        Permission.TAG_IDEAS: "define the tags of the campaign, and tag ideas",
        Permission.COMMENT: "write comments on ideas, edit and delete one's own, and find people to mention",
        Permission.MODERATE_COMMENTS: "hide comments with a reason, show them again, and read hidden ones",
        Permission.VIEW_NOTES: "read and write the internal notes on ideas",
        Permission.FOLLOW_IDEAS: "follow an idea, stop following it, and save views of the list of ideas",
        Permission.VIEW_DATA_PLATFORM: "open Dagster's page and the dashboards of all campaigns",
        Permission.COMMAND_DATA_PLATFORM: "launch runs on Dagster's page, change its schedules and download its logs",
    }
)

_OBSERVER = frozenset(
    {
        Permission.VIEW_CAMPAIGN,
        Permission.JOIN_CAMPAIGN,
        Permission.LEAVE_CAMPAIGN,
        Permission.VIEW_STAKES,
        Permission.FOLLOW_IDEAS,
    }
)
_MEMBER = _OBSERVER | {Permission.MOVE_COINS, Permission.SUBMIT_IDEA, Permission.COMMENT}
_MODERATING = frozenset(
    {
        Permission.VIEW_ALL_IDEAS,
        Permission.APPROVE_IDEAS,
        Permission.TAG_IDEAS,
        Permission.MODERATE_COMMENTS,
        Permission.VIEW_NOTES,
    }
)
_READING = frozenset(
    {
        Permission.VIEW_CAMPAIGN,
        Permission.VIEW_ALL_IDEAS,
        Permission.VIEW_COIN_FIGURES,
        Permission.VIEW_REPORT,
    }
)
_MANAGING = frozenset(
    {
        Permission.JOIN_CAMPAIGN,
        Permission.MANAGE_CAMPAIGN,
        Permission.MANAGE_MEMBERS,
        Permission.MANAGE_COIN_POLICY,
        Permission.MANAGE_IDEAS,
        Permission.GRANT_COINS,
        Permission.VIEW_COIN_AUDIT,
        Permission.VIEW_STAKES,
    }
)

_DATA_PLATFORM = frozenset({Permission.VIEW_DATA_PLATFORM, Permission.COMMAND_DATA_PLATFORM})

GRANTS: Mapping[str, frozenset[Permission]] = MappingProxyType(
    {
        SystemRole.SYSTEM_ADMIN: _READING
        | _MODERATING
        | _MANAGING
        | _DATA_PLATFORM
        | {Permission.MANAGE_USERS, Permission.VIEW_AUDIT, Permission.CREATE_CAMPAIGN},
        SystemRole.EXECUTIVE: _READING | {Permission.JOIN_CAMPAIGN},
        SystemRole.DATA_ENGINEER: _DATA_PLATFORM,
        SystemRole.DATA_VIEWER: frozenset({Permission.VIEW_DATA_PLATFORM}),
        CampaignRole.MANAGER: _READING | _MANAGING | _MODERATING | _MEMBER,
        CampaignRole.MODERATOR: _MODERATING | _MEMBER,
        CampaignRole.MEMBER: _MEMBER,
        CampaignRole.OBSERVER: _OBSERVER,
        Relation.AUTHOR: frozenset({Permission.VIEW_ALL_IDEAS, Permission.EDIT_IDEA, Permission.WITHDRAW_IDEA}),
        Relation.VISITOR: frozenset({Permission.VIEW_CAMPAIGN, Permission.JOIN_CAMPAIGN, Permission.FOLLOW_IDEAS}),
    }
)
"""The permissions of each role. No system role grants what belongs to a person: coins, ideas and memberships."""

TAKING_PART = frozenset(role for role in CampaignRole if Permission.MOVE_COINS in GRANTS[role])
"""The campaign roles whose members have a wallet."""

ASSIGNABLE = frozenset({Permission.CREATE_CAMPAIGN})
"""Permissions that a user can have without a role, stored in `users.permissions`."""


def grants(roles: Iterable[str], permission: Permission) -> bool:
    """Whether one of the roles grants the permission; a role that is not in the table grants nothing."""
    return any(permission in GRANTS.get(role, frozenset()) for role in roles)


def roles_with(permission: Permission) -> list[Role]:
    """The roles that grant the permission, in the order of the table."""
    roles: list[Role] = [*SystemRole, *CampaignRole, *Relation]
    return [role for role in roles if permission in GRANTS[role]]
