"""The table of steps, whole: every status, every command and every role; and the page that is generated from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args
from uuid import UUID

import pytest
from sqlalchemy import text

from api.ideas.schemas import IdeaStep
from api.ideas.steps import EDITING, PUBLIC, STEPS, Editing, Status, find_step, submitted_status
from api.kernel.permissions import GRANTS, CampaignRole, Permission, Relation, SystemRole
from cli.generate.idea_steps import describe
from tests.factories.campaigns import DESCRIPTION, World, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.auth.models import User

ROOT = Path(__file__).parents[2]
TARGETS = [Status(name) for name in get_args(IdeaStep.model_fields["status"].annotation)]
# how the steps lead to a status from competing on; the others are set in the database
PATHS: dict[Status, list[Status]] = {
    Status.COMPETING: [],
    Status.REJECTED: [Status.REJECTED],
    Status.WITHDRAWN: [Status.WITHDRAWN],
    Status.ACCEPTED: [Status.ACCEPTED],
    Status.IN_PROGRESS: [Status.ACCEPTED, Status.IN_PROGRESS],
    Status.COMPLETE: [Status.ACCEPTED, Status.IN_PROGRESS, Status.COMPLETE],
    Status.STOPPED: [Status.ACCEPTED, Status.STOPPED],
}
STEP_PERMISSIONS = {Permission.WITHDRAW_IDEA, Permission.APPROVE_IDEAS, Permission.MANAGE_IDEAS}
ROLES: dict[str, frozenset[str]] = {
    "author": frozenset({CampaignRole.MEMBER, Relation.AUTHOR, Relation.VISITOR}),
    "member": frozenset({CampaignRole.MEMBER, Relation.VISITOR}),
    "observer": frozenset({CampaignRole.OBSERVER, Relation.VISITOR}),
    "moderator": frozenset({CampaignRole.MODERATOR, Relation.VISITOR}),
    "manager": frozenset({CampaignRole.MANAGER, Relation.VISITOR}),
    "administrator": frozenset({SystemRole.SYSTEM_ADMIN, Relation.VISITOR}),
    "executive": frozenset({SystemRole.EXECUTIVE, Relation.VISITOR}),
    "visitor": frozenset({Relation.VISITOR}),
}


def permissions(role: str) -> frozenset[Permission]:
    return frozenset[Permission]().union(*(GRANTS[each] for each in ROLES[role]))


def sees(role: str, status: Status) -> bool:
    if status is Status.DRAFT:
        return role == "author"
    return status in PUBLIC or status is Status.MERGED or Permission.VIEW_ALL_IDEAS in permissions(role)


def expected(role: str, source: Status, target: Status, *, is_mediated: bool) -> int:
    if not sees(role, source):
        return 404
    if not permissions(role) & STEP_PERMISSIONS:
        return 403
    step = find_step(source, target)
    if step is None:
        return 409
    if step.permission in {Permission.APPROVE_IDEAS, Permission.MANAGE_IDEAS}:
        return 200 if step.permission in permissions(role) else 403
    return 403 if role != "author" else 200 if step.exists_in(is_mediated=is_mediated) else 409


async def idea_in(world: World, status: Status, *, is_mediated: bool) -> UUID:
    """An idea of the first member in a status."""
    author = world.members[0]
    body = {"title": "Put bicycle racks by the door", "description": DESCRIPTION}
    if status is Status.MERGED:
        source, target = [await idea_in(world, Status.COMPETING, is_mediated=is_mediated) for _ in range(2)]
        merged = {"idea_ids": [str(source)], "reason": "The same proposal twice."}
        response = await world.call(world.manager, "POST", f"/ideas/{target}/merge", json=merged)
        assert response.status_code == 200, response.text
        return source
    idea = UUID((await world.call(author, "POST", "/campaigns/{id}/ideas/drafts", json=body)).json()["id"])
    if status not in PATHS:
        async with parts(world.app).database.session() as session:
            set_status = text("UPDATE app.ideas SET status = :status WHERE id = :id")
            await session.execute(set_status, {"status": status, "id": idea})
        return idea
    path = [Status.PENDING, Status.COMPETING] if is_mediated else [Status.COMPETING]
    for step in [*path, *PATHS[status]]:
        is_own = step in {path[0], Status.WITHDRAWN}
        taken = await world.step(author if is_own else world.manager, idea, step, "As decided")
        assert taken.status_code == 200, taken.text
    return idea


@pytest.mark.parametrize("is_mediated", [True, False], ids=["mediated", "not mediated"])
@pytest.mark.parametrize("is_whole", [False, pytest.param(True, marks=pytest.mark.deep)], ids=["short", "whole"])
async def test_every_command_in_every_status_by_every_role(
    application: FastAPI, client: AsyncClient, *, is_mediated: bool, is_whole: bool
) -> None:
    """The status of each response, and the next statuses, are those of the table.

    Roles that may take no step are refused whatever the command is; the short variant has one command of them by status.
    """
    world = await make_world(application, client, members=4, is_mediated=is_mediated)
    for member, role in zip(world.members[2:], ("observer", "moderator"), strict=True):
        changed = await world.call(world.manager, "PUT", f"/campaigns/{{id}}/members/{member.id}/role?role={role}")
        assert changed.is_success, changed.text
    callers: dict[str, User] = {
        "author": world.members[0],
        "member": world.members[1],
        "observer": world.members[2],
        "moderator": world.members[3],
        "manager": world.manager,
        "administrator": await commit_user(application, roles=["system_admin"]),
        "executive": await commit_user(application, roles=["executive"]),
        "visitor": await commit_user(application),
    }
    found, wanted = {}, {}
    for n, source in enumerate(Status):
        idea = await idea_in(world, source, is_mediated=is_mediated)
        for role, caller in callers.items():
            possible = []
            for target in TARGETS if is_whole or permissions(role) & STEP_PERMISSIONS else [TARGETS[n % len(TARGETS)]]:
                body = {"status": target, "reason": "As decided"}
                response = await world.call(caller, "POST", f"/ideas/{idea}/status?dry_run=true", json=body)
                found[source, target, role] = response.status_code
                wanted[source, target, role] = expected(role, source, target, is_mediated=is_mediated)
                if response.is_success:
                    assert response.json()["status"] == target
                    possible.append(target)
            if sees(role, source):
                read = (await world.call(caller, "GET", f"/ideas/{idea}")).json()
                assert sorted(read["next_statuses"]) == sorted(possible), (source, role)
    assert found == wanted


class TestTable:
    def test_a_status_is_reached_by_one_step_from_another(self) -> None:
        pairs = [(source, step.target) for step in STEPS for source in step.sources]
        assert len(pairs) == len(set(pairs))

    def test_every_target_of_a_caller_can_be_requested(self) -> None:
        assert {step.target for step in STEPS if step.permission is not None and step.route is None} == set(TARGETS)

    def test_nothing_becomes_a_draft_again(self) -> None:
        assert Status.DRAFT not in {step.target for step in STEPS}

    def test_an_idea_is_submitted_to_the_status_of_its_campaign(self) -> None:
        assert submitted_status(is_mediated=True) is Status.PENDING
        assert submitted_status(is_mediated=False) is Status.COMPETING

    def test_every_status_says_who_changes_the_text(self) -> None:
        assert EDITING.keys() == set(Status)
        assert {status for status in Status if EDITING[status] is Editing.AUTHOR} == {Status.DRAFT}

    def test_the_page_is_up_to_date(self) -> None:
        """`make docs` writes it."""
        assert (ROOT / "docs" / "idea-steps.md").read_text() == describe()

    def test_the_diagram_has_every_step(self) -> None:
        lines = describe().splitlines()
        for step in STEPS:
            for source in step.sources:
                assert any(line.strip().startswith(f"{source} --> {step.target}: ") for line in lines)
