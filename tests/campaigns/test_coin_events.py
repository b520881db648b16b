"""Every command that concerns coins has an event with actor, request, and the state before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY
from uuid import UUID, uuid4

from tests.factories.campaigns import DESCRIPTION, World
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

Change = tuple[str, dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Command:
    """A command over HTTP and its events: kind, before and after. `{...}` in path and body are ids."""

    operation: str
    who: str
    method: str
    path: str
    body: Any
    leaves: list[Change]


def _step(who: str, idea: str, status: str, reason: str | None, kind: str, before: Any, after: Any) -> Command:
    """A step of a competing or accepted idea; the stakes as (status, coins, backers)."""
    names = ("status", "stake_coins", "backers")
    settled = {} if status == "competing" else {"is_settling": False}
    changes = (dict(zip(names, before, strict=True)), dict(zip(names, after, strict=True)) | settled)
    body = {"status": status, "reason": reason}
    return Command("changeIdeaStatus", who, "POST", f"/ideas/{{{idea}}}/status", body, [(kind, *changes)])


def _submit(name: str) -> list[Command]:
    idea = {"title": f"Idea number {name}", "description": DESCRIPTION}
    return [
        Command(
            "submitIdea", "ann", "POST", "/campaigns/{id}/ideas", idea,
            [("idea_submitted", {}, {"status": "pending"})],
        ),
        Command(
            "changeIdeaStatus", "manager", "POST", f"/ideas/{{{name}}}/status", {"status": "competing"},
            [("idea_approved", {"status": "pending"}, {"status": "competing"})],
        ),
    ]  # fmt: skip


def _bulk(kind: str, who: str, coins: int | None, before: int, after: int) -> Command:
    item = {"campaign_id": "{id}", "user_id": f"{{{who}}}", "kind": kind, "coins": coins, "reason": "counted wrongly"}
    event = (
        "coins_granted" if kind == "grant" else "coins_corrected",
        {"wallet_coins": before},
        {"wallet_coins": after},
    )
    return Command("bulkAllocateCoins", "manager", "POST", "/coins/bulk-allocate", {"items": [item]}, [event])


def _move(operation: str, body: dict[str, Any], before: dict[str, int], after: dict[str, int], kind: str) -> Command:
    route = "allocate" if operation == "allocateCoins" else "reallocate"
    return Command(operation, "bob", "POST", f"/campaigns/{{id}}/coins/{route}", body, [(kind, before, after)])


def _wallet(coins: int, *, is_frozen: bool) -> dict[str, Any]:
    return {"wallet_coins": coins, "is_frozen": is_frozen}


COMMANDS = [
    Command(
        "createCampaign", "manager", "POST", "/campaigns",
        {"title": "A better way", "is_mediated": True, "coin_policy": {"stakes_visible_to": "managers"}},
        [("campaign_created", {}, {"status": "draft", "coin_policy": ANY}), ("member_joined", {}, {})],
    ),
    Command(
        "setCoinPolicy", "manager", "PUT", "/campaigns/{id}/coins/policies",
        {"coins_per_member": 50, "stakes_visible_to": "managers"},
        [("coin_policy_changed", {"coins_per_member": 100}, {"coins_per_member": 50})],
    ),
    Command(
        "addMember", "manager", "POST", "/campaigns/{id}/members", {"email": "{ann_email}"}, [("member_joined", {}, {})]
    ),
    _bulk("grant", "ann", None, 0, 50),
    Command(
        "activateCampaign", "manager", "POST", "/campaigns/{id}/activate", None,
        [("campaign_activated", {"status": "draft", "wallet_coins": 0}, {"status": "active", "wallet_coins": 50})],
    ),
    Command(
        "editCampaign", "manager", "PATCH", "/campaigns/{id}", {"ends_at": "2199-01-01T00:00:00Z"},
        [("campaign_dates_changed", {"status": "active"}, {"status": "active", "ends_at": "2199-01-01T00:00:00Z"})],
    ),
    Command(
        "pauseCampaign", "manager", "POST", "/campaigns/{id}/pause", None,
        [("campaign_paused", {"status": "active"}, {"status": "paused"})],
    ),
    Command(
        "resumeCampaign", "manager", "POST", "/campaigns/{id}/resume", None,
        [("campaign_resumed", {"status": "paused"}, {"status": "active"})],
    ),
    Command(
        "joinCampaign", "bob", "POST", "/campaigns/{id}/join", None,
        [("member_joined", {}, _wallet(50, is_frozen=False))],
    ),
    *(command for name in ("one", "two", "three", "four", "five") for command in _submit(name)),
    _move(
        "allocateCoins", {"idea_id": "{one}", "coins": 30},
        {"wallet_coins": 50, "to_stake_coins": 0}, {"wallet_coins": 20, "to_stake_coins": 30}, "coins_allocated",
    ),
    _move(
        "reallocateCoins", {"from_idea_id": "{one}", "to_idea_id": "{two}", "coins": 10},
        {"from_stake_coins": 30, "to_stake_coins": 0}, {"from_stake_coins": 20, "to_stake_coins": 10}, "coins_reallocated",
    ),
    _move(
        "reallocateCoins", {"from_idea_id": "{one}", "coins": 5},
        {"from_stake_coins": 20, "wallet_coins": 20}, {"from_stake_coins": 15, "wallet_coins": 25}, "coins_taken_back",
    ),
    _bulk("correct", "bob", 5, 25, 30),
    _step("manager", "one", "accepted", None, "idea_accepted", ("competing", 15, 1), ("accepted", 0, 0)),
    _step(
        "manager", "one", "competing", "By mistake", "idea_acceptance_undone", ("accepted", 0, 0), ("competing", 15, 1)
    ),
    _step("manager", "two", "rejected", "Not now", "idea_rejected", ("competing", 10, 1), ("rejected", 0, 0)),
    _step("ann", "three", "withdrawn", None, "idea_withdrawn", ("competing", 0, 0), ("withdrawn", 0, 0)),
    Command(
        "changeIdeasInBulk", "manager", "POST", "/campaigns/{id}/ideas/bulk",
        {"action": "reject", "idea_ids": ["{five}"], "reason": "Not now"},
        [
            (
                "idea_rejected",
                {"status": "competing", "stake_coins": 0, "backers": 0},
                {"status": "rejected", "stake_coins": 0, "backers": 0, "is_settling": False},
            )
        ],
    ),
    Command(
        "editIdea", "manager", "PATCH", "/ideas/{four}",
        {"title": "A larger idea number four", "reason": "It costs more", "is_material": True},
        [("idea_marked_material", {}, {})],
    ),
    Command(
        "editIdea", "manager", "PATCH", "/ideas/{four}",
        {"title": "A smaller idea number four", "reason": "It costs less"}, [],
    ),
    Command(
        "markVersionMaterial", "manager", "POST", "/ideas/{four}/versions/3/material", {"reason": "It costs less"},
        [("idea_marked_material", {}, {})],
    ),
    Command(
        "leaveCampaign", "bob", "POST", "/campaigns/{id}/leave", None,
        [("member_left", _wallet(40, is_frozen=False), _wallet(40, is_frozen=True))],
    ),
    Command(
        "joinCampaign", "bob", "POST", "/campaigns/{id}/join", None,
        [("member_joined", _wallet(40, is_frozen=True), _wallet(40, is_frozen=False))],
    ),
    Command(
        "setMemberRole", "manager", "PUT", "/campaigns/{id}/members/{bob}/role?role=manager", None,
        [("member_role_changed", {"role": "member"}, {"role": "manager"})],
    ),
    Command(
        "removeMember", "manager", "DELETE", "/campaigns/{id}/members/{ann}", None,
        [("member_removed", _wallet(50, is_frozen=False), _wallet(50, is_frozen=True))],
    ),
    Command(
        "importMembers", "manager", "POST", "/campaigns/{id}/member-lists", {"members": [{"email": "{ann_email}"}]},
        [("member_joined", _wallet(50, is_frozen=True), _wallet(50, is_frozen=False))],
    ),
    Command(
        "completeCampaign", "manager", "POST", "/campaigns/{id}/complete", None,
        [
            ("campaign_completed", {"status": "active", "wallet_coins": 140}, {"status": "completed", "wallet_coins": 0}),
            *(
                (
                    "idea_not_selected",
                    {"status": "competing", "stake_coins": coins, "backers": backers},
                    {"status": "not_selected", "stake_coins": 0, "backers": 0, "is_settling": False},
                )
                for coins, backers in ((15, 1), (0, 0))
            ),
        ],
    ),
    Command(
        "archiveCampaign", "manager", "POST", "/campaigns/{id}/archive", None,
        [("campaign_archived", {"status": "completed"}, {"status": "archived"})],
    ),
]  # fmt: skip

# they change neither coins nor what coins depend on
WITHOUT_COINS = {
    "addAttachment", "addMilestone", "createTag", "deleteAttachment", "deleteCampaign", "deleteComment", "deleteDraft",
    "deleteMilestone", "deleteNote", "deleteTag", "draftIdea", "editComment", "editMilestone", "editNote",
    "editTag", "followIdea", "hideComment", "mergeTags", "recordValuation", "removeIdeaOwner", "removeOfficialAnswer",
    "requestIdeaChanges", "restoreIdeaVersion", "resubmitIdea", "setIdeaOwner", "setIdeaTags", "setOfficialAnswer",
    "setRejectionReasons", "showComment", "unfollowIdea", "writeComment", "writeNote", "inviteMembers", "resendInvitation",
    "revokeInvitation", "requestToJoin", "refuseJoinRequest", "setCampaignCover", "removeCampaignCover", "shareIdea",
    "revokeIdeaShare",
    "completeMilestone", "convertFreeTag",
    "withdrawJoinRequest", "createMemberAttribute",
    "editMemberAttribute", "deleteMemberAttribute", "editMemberValues", "editMyAttributes",
    "createIdeaView", "deleteIdeaView", "editIdeaView", "previewCoinPolicy",
}  # fmt: skip
# needs a campaign that is joined by request: tests/campaigns/test_join_requests.py
ELSEWHERE = {"approveJoinRequest"}


def _filled(value: Any, ids: dict[str, str]) -> Any:
    """`value` with each `{name}` in its texts replaced."""
    if isinstance(value, dict):
        return {name: _filled(part, ids) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, ids) for part in value]
    if isinstance(value, str):
        for name, id_ in ids.items():
            value = value.replace(f"{{{name}}}", id_)
    return value


class TestEveryCommand:
    def test_is_covered(self, application: FastAPI) -> None:
        commands = {
            operation["operationId"]
            for path, methods in application.openapi()["paths"].items()
            for method, operation in methods.items()
            if method != "get" and path.removeprefix("/api/v1/").partition("/")[0] in {"campaigns", "ideas", "coins"}
        }
        assert commands - WITHOUT_COINS - ELSEWHERE == {command.operation for command in COMMANDS}

    async def test_has_an_event_with_its_actor_request_and_changes(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        people = {
            "manager": await commit_user(application, permissions=["create_campaign"]),
            "ann": await commit_user(application),
            "bob": await commit_user(application),
        }
        ids = {name: str(person.id) for name, person in people.items()} | {"ann_email": str(people["ann"].email)}
        world = World(application, client, uuid4(), people["manager"], [])
        with_dry_run = {
            operation["operationId"]
            for methods in application.openapi()["paths"].values()
            for operation in methods.values()
            if any(parameter["name"] == "dry_run" for parameter in operation.get("parameters", ()))
        } - {"importRoster", *WITHOUT_COINS}  # no commands on coins
        assert len(with_dry_run) == 11
        seen: set[str] = set()
        ideas = iter(("one", "two", "three", "four", "five"))
        for command in COMMANDS:
            arguments: dict[str, Any] = {"json": _filled(command.body, ids)} if command.body is not None else {}
            path = _filled(command.path, ids)
            if command.operation in with_dry_run:
                simulated = await world.call(
                    people[command.who], command.method, path, params={"dry_run": True}, **arguments
                )
                assert simulated.is_success, simulated.text
                assert {event["event_id"] for event in await world.audit(limit=200)} == seen
            response = await world.call(people[command.who], command.method, path, key=uuid4().hex, **arguments)
            assert response.is_success, (command, response.text)
            if command.operation == "createCampaign":
                ids["id"], world.campaign_id = response.json()["id"], UUID(response.json()["id"])
            if command.operation == "submitIdea":
                ids[next(ideas)] = response.json()["id"]
            new = [event for event in await world.audit(limit=200) if event["event_id"] not in seen]
            seen |= {event["event_id"] for event in new}
            assert [(event["kind"], event["before"], event["after"]) for event in reversed(new)] == command.leaves
            for event in new:
                assert event["actor_id"] == ids[command.who], event
                assert event["request_id"] == response.headers["X-Request-ID"], event
