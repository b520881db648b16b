"""The interface of campaigns; the commands and queries are in modules of their own."""

from __future__ import annotations

from api.campaigns.covers import find_cover, find_used_keys, remove_cover, set_cover
from api.campaigns.creation import create_campaign
from api.campaigns.due import PAUSE_S, for_each_to_complete
from api.campaigns.editing import copy_campaign, delete_draft, edit_campaign
from api.campaigns.memberships import add_member, join_campaign, leave_campaign, remove_member, return_stakes_of_removed
from api.campaigns.people import Person, find_people, find_roles, has_other_approver
from api.campaigns.queries import (
    NOT_FOUND,
    find_campaign_by_slug,
    find_membership,
    get_campaign,
    get_campaign_and_role,
    list_campaigns,
    list_managed_campaign_ids,
    read_campaign_and_role,
)
from api.campaigns.roles import set_member_role
from api.campaigns.transitions import (
    activate_campaign,
    archive_campaign,
    check_command,
    find_allocation,
    list_dates,
    list_stages,
    mark_completed,
    pause_campaign,
    resume_campaign,
    set_coin_policy,
)

__all__ = [
    "NOT_FOUND",
    "PAUSE_S",
    "Person",
    "activate_campaign",
    "add_member",
    "archive_campaign",
    "check_command",
    "copy_campaign",
    "create_campaign",
    "delete_draft",
    "edit_campaign",
    "find_allocation",
    "find_campaign_by_slug",
    "find_cover",
    "find_membership",
    "find_people",
    "find_roles",
    "find_used_keys",
    "for_each_to_complete",
    "get_campaign",
    "get_campaign_and_role",
    "has_other_approver",
    "join_campaign",
    "leave_campaign",
    "list_campaigns",
    "list_dates",
    "list_managed_campaign_ids",
    "list_stages",
    "mark_completed",
    "pause_campaign",
    "read_campaign_and_role",
    "remove_cover",
    "remove_member",
    "resume_campaign",
    "return_stakes_of_removed",
    "set_coin_policy",
    "set_cover",
    "set_member_role",
]
