"""The catalogue of roles and permissions: complete, and the same in the database, in the API and on the command line."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import get_args

import psycopg
import pytest

from api.campaigns import schemas
from api.kernel.permissions import (
    ASSIGNABLE,
    DESCRIPTIONS,
    GRANTS,
    TAKING_PART,
    CampaignRole,
    Permission,
    Relation,
    SystemRole,
    grants,
    roles_with,
)
from api.kernel.scopes import SCOPES, SERVICE_SCOPES

ROLES = [*SystemRole, *CampaignRole, *Relation]


class TestGrants:
    def test_has_every_role_once(self) -> None:
        assert len({str(role) for role in ROLES}) == len(ROLES)
        assert GRANTS.keys() == set(ROLES)

    def test_every_permission_is_granted_by_a_role(self) -> None:
        assert [permission for permission in Permission if not roles_with(permission)] == []

    def test_a_higher_role_has_the_reading_and_managing_permissions_of_a_lower_one(self) -> None:
        ascending = (CampaignRole.OBSERVER, CampaignRole.MEMBER, CampaignRole.MODERATOR, CampaignRole.MANAGER)
        assert all(GRANTS[lower] < GRANTS[higher] for lower, higher in pairwise(ascending))
        own = GRANTS[CampaignRole.MEMBER] | {Permission.CREATE_CAMPAIGN}
        assert GRANTS[CampaignRole.MANAGER] - own < GRANTS[SystemRole.SYSTEM_ADMIN]

    @pytest.mark.parametrize("role", list(SystemRole))
    def test_no_system_role_moves_coins_or_writes_ideas(self, role: SystemRole) -> None:
        own = {Permission.MOVE_COINS, Permission.SUBMIT_IDEA, Permission.EDIT_IDEA, Permission.WITHDRAW_IDEA}
        assert not GRANTS[role] & own

    def test_an_observer_changes_nothing_but_the_own_membership(self) -> None:
        writing = {each for each in GRANTS[CampaignRole.OBSERVER] if not each.startswith("view_")}
        assert writing == {Permission.JOIN_CAMPAIGN, Permission.LEAVE_CAMPAIGN, Permission.FOLLOW_IDEAS}
        assert set(CampaignRole) - {CampaignRole.OBSERVER} == TAKING_PART

    def test_a_moderator_has_no_permission_on_policy_members_coins_and_decisions(self) -> None:
        more = GRANTS[CampaignRole.MODERATOR] - GRANTS[CampaignRole.MEMBER]
        assert more == {
            Permission.VIEW_ALL_IDEAS, Permission.APPROVE_IDEAS, Permission.TAG_IDEAS, Permission.MODERATE_COMMENTS,
            Permission.VIEW_NOTES,
        }  # fmt: skip

    def test_an_executive_changes_nothing(self) -> None:
        assert {each for each in GRANTS[SystemRole.EXECUTIVE] if not each.startswith("view_")} == {
            Permission.JOIN_CAMPAIGN
        }

    def test_the_roles_of_the_data_platform_grant_nothing_of_campaigns(self) -> None:
        for role in (SystemRole.DATA_ENGINEER, SystemRole.DATA_VIEWER):
            assert all(permission.endswith("_data_platform") for permission in GRANTS[role])
        assert Permission.COMMAND_DATA_PLATFORM not in GRANTS[SystemRole.DATA_VIEWER]

    def test_an_unknown_role_grants_nothing(self) -> None:
        assert not any(grants(("king", ""), permission) for permission in Permission)


class TestDescriptions:
    def test_are_complete(self) -> None:
        assert DESCRIPTIONS.keys() == {*ROLES, *Permission}


class TestDatabase:
    @pytest.mark.parametrize(
        ("constraint", "allowed"),
        [
            ("ck_api_tokens_scopes", set(SCOPES)),
            ("ck_service_accounts_scopes", set(SERVICE_SCOPES)),
            ("ck_api_tokens_service_scopes", set(SCOPES) - set(SERVICE_SCOPES)),
            ("ck_users_roles", set(SystemRole)),
            ("ck_users_permissions", set(ASSIGNABLE)),
            ("ck_memberships_role", set(CampaignRole)),
        ],
    )
    def test_allows_the_values_of_the_catalogue(self, admin_url: str, constraint: str, allowed: set[str]) -> None:
        with psycopg.connect(admin_url) as connection:
            rows = connection.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE conname = %s AND connamespace = 'app'::regnamespace",
                (constraint,),
            ).fetchall()
        assert len(rows) == 1
        assert set(re.findall(r"'([\w:]+)'", rows[0][0])) == allowed


class TestSchemas:
    def test_have_the_roles_of_a_campaign(self) -> None:
        assert set(get_args(schemas.Role)) == set(CampaignRole)
