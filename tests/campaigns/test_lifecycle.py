"""The table of phases and commands, over HTTP: every command in every phase, by a member and by a manager."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from api.campaigns.lifecycle import (
    ALLOWED,
    RUNNING,
    CampaignStatus,
    Command,
    Phase,
    next_statuses,
    phase_at,
    statuses_with,
)
from tests.factories.campaigns import DESCRIPTION, World, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
# status, and the seconds from now to the start and to the end
STATES: dict[Phase, tuple[str, int | None, int | None]] = {
    Phase.DRAFT: ("draft", None, None),
    Phase.UPCOMING: ("active", 3600, 7200),
    Phase.OPEN: ("active", -3600, 3600),
    Phase.PAUSED: ("paused", -3600, 3600),
    Phase.CLOSED: ("closed", -7200, -3600),
    Phase.COMPLETED: ("completed", -7200, -3600),
    Phase.ARCHIVED: ("archived", -7200, -3600),
}
# the end has passed, and the worker has not stored it
PLACES = [
    *((phase.value, phase, state) for phase, state in STATES.items()),
    ("ended", Phase.CLOSED, ("active", -7200, -3600)),
    ("ended in a pause", Phase.CLOSED, ("paused", -7200, -3600)),
    ("paused before its start", Phase.PAUSED, ("paused", 3600, 7200)),
]
# statuses of a response by phase: draft, upcoming, open, paused, closed, completed, archived
EXPECTED: dict[tuple[str, str], tuple[int, ...]] = {
    ("activate", "manager"): (200, 409, 409, 409, 409, 409, 409),
    ("pause", "manager"): (409, 200, 200, 409, 409, 409, 409),
    ("resume", "manager"): (409, 409, 409, 200, 409, 409, 409),
    ("delete", "manager"): (409, 409, 409, 409, 409, 409, 409),  # a real draft has no coins
    ("complete", "manager"): (409, 200, 200, 200, 200, 409, 409),
    ("archive", "manager"): (200, 409, 409, 409, 409, 200, 409),
    ("edit", "manager"): (200, 200, 200, 200, 200, 409, 409),
    ("add a member", "manager"): (201, 201, 201, 201, 409, 409, 409),
    ("correct coins", "manager"): (200, 200, 200, 200, 200, 409, 409),
    ("approve", "manager"): (409, 200, 200, 200, 409, 409, 409),
    ("reject", "manager"): (409, 200, 200, 409, 200, 409, 409),
    ("accept", "manager"): (409, 200, 200, 409, 200, 409, 409),
    ("undo", "manager"): (409, 200, 200, 409, 200, 409, 409),
    ("join", "newcomer"): (
        409,
        200,
        200,
        409,
        409,
        409,
        409,
    ),  # a draft is visible to the newcomer, who was added to it
    ("submit", "member"): (409, 409, 201, 409, 409, 409, 409),
    ("withdraw", "member"): (409, 409, 200, 409, 409, 409, 409),
    ("allocate", "member"): (409, 409, 201, 409, 409, 409, 409),
    ("reallocate", "member"): (409, 409, 201, 409, 409, 409, 409),
    ("take back", "member"): (409, 409, 201, 409, 409, 409, 409),
    **{
        (command, "member"): (403,) * 7
        for command in (
            "activate",
            "pause",
            "resume",
            "delete",
            "complete",
            "archive",
            "edit",
            "add a member",
            "approve",
            "reject",
            "accept",
        )
    },
}
ORDER = list(Phase)


class Place:
    """A campaign with a pending, a competing and an accepted idea, put into a state."""

    def __init__(self, world: World, newcomer: Any, ideas: dict[str, UUID]) -> None:
        self.world, self.newcomer, self.ideas = world, newcomer, ideas

    async def call(self, command: str, role: str) -> Response:
        """The response to a command, which is a dry run if the route has one."""
        world, ideas = self.world, self.ideas
        who = {"manager": world.manager, "member": world.members[0], "newcomer": self.newcomer}[role]
        idea_steps = {
            "approve": ("pending", "competing"), "reject": ("competing", "rejected"), "accept": ("competing", "accepted"),
            "withdraw": ("competing", "withdrawn"), "undo": ("accepted", "competing"),
        }  # fmt: skip
        if command in idea_steps:
            name, status = idea_steps[command]
            body = {"status": status, "reason": "As decided"}
            return await world.call(who, "POST", f"/ideas/{ideas[name]}/status?dry_run=true", json=body)
        item = {
            "campaign_id": str(world.campaign_id), "user_id": str(world.members[1].id), "kind": "correct", "coins": 1,
            "reason": "counted wrongly",
        }  # fmt: skip
        coin_move = {"from_idea_id": str(ideas["competing"]), "coins": 5}
        requests: dict[str, tuple[str, str, Any]] = {
            "activate": ("POST", "/campaigns/{id}/activate", None),
            "pause": ("POST", "/campaigns/{id}/pause", None),
            "resume": ("POST", "/campaigns/{id}/resume", None),
            "delete": ("DELETE", "/campaigns/{id}", None),
            "complete": ("POST", "/campaigns/{id}/complete", None),
            "archive": ("POST", "/campaigns/{id}/archive", None),
            "edit": ("PATCH", "/campaigns/{id}", {"decide_by": None}),
            "add a member": ("POST", "/campaigns/{id}/members", {"email": self.newcomer.email}),
            "correct coins": ("POST", "/coins/bulk-allocate", {"items": [item]}),
            "join": ("POST", "/campaigns/{id}/join", None),
            "submit": ("POST", "/campaigns/{id}/ideas", {"title": "One more idea", "description": DESCRIPTION}),
            "allocate": ("POST", "/campaigns/{id}/coins/allocate", {"idea_id": str(ideas["competing"]), "coins": 5}),
            "reallocate": ("POST", "/campaigns/{id}/coins/reallocate", coin_move | {"to_idea_id": str(ideas["other"])}),
            "take back": ("POST", "/campaigns/{id}/coins/reallocate", coin_move),
        }
        method, path, body = requests[command]
        key = uuid4().hex if "/coins/" in path else None
        return await world.call(who, method, path, key=key, json=body)


async def make_place(app: FastAPI, client: AsyncClient, state: tuple[str, int | None, int | None]) -> Place:
    world = await make_world(app, client, is_mediated=True, members=2, policy={"own_ideas": True})
    ideas = {name: await world.submit(world.members[0]) for name in ("pending", "competing", "other", "accepted")}
    for name in ("competing", "other", "accepted"):
        assert (await world.step(world.manager, ideas[name], "competing")).is_success
    assert (await world.step(world.manager, ideas["accepted"], "accepted")).is_success
    assert (await world.allocate(world.members[0], ideas["competing"], 20)).status_code == 201
    place = Place(world, await commit_user(app), ideas)
    await put(place, state)
    return place


async def put(place: Place, state: tuple[str, int | None, int | None]) -> None:
    """Put the campaign into a state; one that is completed or archived stays so."""
    world, (status, starts, ends) = place.world, state
    async with parts(world.app).database.session() as session:
        if status in {"completed", "archived"}:
            await session.execute(text("SELECT app.coins_close_ledger(:id, NULL)"), {"id": world.campaign_id})
        await session.execute(
            text(
                "UPDATE app.campaigns SET status = :status, paused_at = CASE WHEN :status = 'paused' THEN now() END, starts_at = now() + :starts * interval '1 s', "
                "ends_at = now() + :ends * interval '1 s' WHERE id = :id"
            ),
            {"status": status, "starts": starts, "ends": ends, "id": world.campaign_id},
        )
        if status not in {"completed", "archived"}:
            await session.execute(
                text(
                    "SELECT app.coins_set_window(:id, now() + :starts * interval '1 s', now() + :ends * interval '1 s')"
                ),
                {"starts": starts, "ends": ends, "id": world.campaign_id},
            )
            paused = text("SELECT app.coins_set_pause(:id, CASE WHEN :status = 'paused' THEN now() END)")
            await session.execute(paused, {"id": world.campaign_id, "status": status})


def expected(command: str, role: str, phase: Phase) -> int:
    """The draft has open ideas and wallets because it was active before: the ledger's window is open."""
    return EXPECTED[command, role][ORDER.index(phase)]


@pytest.mark.parametrize(("phase", "state"), [(p, s) for _, p, s in PLACES], ids=[name for name, _, _ in PLACES])
async def test_every_command_in_every_phase(
    application: FastAPI, client: AsyncClient, phase: Phase, state: tuple[str, int | None, int | None]
) -> None:
    found, expected_statuses = {}, {}
    # commands that change the campaign come last, and those that cannot be taken back at the very end
    last = {"activate": 1, "pause": 1, "resume": 1, "complete": 2, "archive": 2}
    place, left_by = await make_place(application, client, state), 0
    for command, role in sorted(
        EXPECTED, key=lambda cell: (last.get(cell[0], 0) if cell[1] == "manager" else 0, cell[0] == "take back")
    ):
        if command in {"allocate", "reallocate", "take back"} and phase is Phase.DRAFT:
            continue  # a real draft has no ideas
        if left_by == 1:
            await put(place, state)
        elif left_by == 2:
            place = await make_place(application, client, state)
        response = await place.call(command, role)
        left_by = last.get(command, 0) if response.is_success else 0
        found[command, role] = response.status_code
        expected_statuses[command, role] = expected(command, role, phase)
    assert found == expected_statuses


class TestPhaseAt:
    @pytest.mark.parametrize(
        ("moment", "phase"),
        [
            (NOW - TICK, Phase.UPCOMING),
            (NOW, Phase.OPEN),
            (NOW + timedelta(days=1), Phase.OPEN),
            (NOW + timedelta(days=1) + TICK, Phase.CLOSED),
        ],
    )
    def test_both_dates_belong_to_the_open_phase(self, moment: datetime, phase: Phase) -> None:
        assert phase_at("active", NOW, NOW + timedelta(days=1), moment) is phase

    def test_follows_the_status_if_it_is_not_active(self) -> None:
        for status, moment in product(set(CampaignStatus) - RUNNING, (NOW - TICK, NOW, NOW + TICK)):
            assert phase_at(status, NOW, NOW, moment).value == status.value

    def test_without_dates_an_active_campaign_is_open(self) -> None:
        assert phase_at("active", None, None, NOW) is Phase.OPEN


class TestTable:
    def test_has_every_command(self) -> None:
        assert set(ALLOWED) == set(Command)

    def test_coins_are_corrected_until_the_campaign_is_completed(self) -> None:
        assert statuses_with(Command.GRANT_COINS) == ["draft", "active", "paused", "closed"]

    def test_next_statuses(self) -> None:
        assert {phase: next_statuses(phase) for phase in Phase} == {
            Phase.DRAFT: ["active", "archived"],
            Phase.UPCOMING: ["paused", "completed"],
            Phase.OPEN: ["paused", "completed"],
            Phase.PAUSED: ["active", "completed"],
            Phase.CLOSED: ["completed"],
            Phase.COMPLETED: ["archived"],
            Phase.ARCHIVED: [],
        }
