"""The main commands over HTTP in their usual order, with checks of what each returns.

`clients` are APIs on one database; each command goes to the next one, as with a load balancer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.factories.campaigns import DESCRIPTION
from tests.factories.users import PASSWORD, make_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import AsyncClient, Response

    from api.kernel.db import Database


@dataclass
class Journey:
    """A manager and a member who log in and call the APIs in turn."""

    clients: Sequence[AsyncClient]
    manager_email: str
    member_email: str
    campaign_id: str = ""
    ideas: list[str] = field(default_factory=list)
    _tokens: dict[tuple[str, AsyncClient], str] = field(default_factory=dict)
    _client_cycle: Iterator[AsyncClient] = field(init=False)

    def __post_init__(self) -> None:
        self._client_cycle = cycle(self.clients)

    async def run(self) -> None:
        """Run all commands on a new campaign."""
        await self.log_in()
        await self.open_campaign()
        await self.submit_ideas()
        await self.move_coins()
        await self.decide()

    async def log_in(self) -> None:
        """Both log in; the campaigns are listed."""
        for email in (self.manager_email, self.member_email):
            await self._log_in(email, next(self._client_cycle))
        assert isinstance((await self.get("/campaigns"))["items"], list)

    async def open_campaign(self) -> None:
        """The manager creates and activates a campaign with a policy; the member joins it."""
        draft = {"title": "A better way to work", "coin_policy": {"coins_per_member": 100, "undo_window_h": 24}}
        created = _checked(await self.manage("POST", "/campaigns", draft), 201)
        self.campaign_id = created["id"]
        policy = {"coins_per_member": 100, "coins_per_member_and_idea_max": 50, "undo_window_h": 24}
        assert _checked(await self.manage("PUT", "/campaigns/{id}/coins/policies", policy), 200)["version"] == 2
        assert _checked(await self.manage("POST", "/campaigns/{id}/activate"), 200)["status"] == "active"
        assert _checked(await self.participate("POST", "/campaigns/{id}/join"), 200)["role"] == "member"
        assert (await self.get("/campaigns/{id}"))["my_role"] == "member"

    async def submit_ideas(self) -> None:
        """The manager submits two ideas, which compete."""
        for title in ("Put bicycle racks by the door", "Put lockers by the door"):
            idea = _checked(
                await self.manage("POST", "/campaigns/{id}/ideas", {"title": title, "description": DESCRIPTION}), 201
            )
            assert idea["status"] == "competing"
            self.ideas.append(idea["id"])
        listed = await self.get("/campaigns/{id}/ideas")
        assert {idea["id"] for idea in listed["items"]} == set(self.ideas)

    async def move_coins(self) -> None:
        """The member allocates 30 coins, repeats the request, moves 10 to the other idea and takes 5 back."""
        first, second = self.ideas
        allocation, key = {"idea_id": first, "coins": 30}, uuid4().hex
        path = "/campaigns/{id}/coins/allocate"
        moved = _checked(await self.participate("POST", path, allocation, key), 201)
        assert moved["debit"]["balance_coins"] == 70
        replayed = await self.participate("POST", path, allocation, key)
        assert _checked(replayed, 201) == moved
        assert replayed.headers["Idempotency-Replayed"] == "true"
        refused = await self.participate("POST", path, {"idea_id": first, "coins": 21}, uuid4().hex)
        assert refused.status_code in {409, 422}, refused.text
        path = "/campaigns/{id}/coins/reallocate"
        body = {"from_idea_id": first, "to_idea_id": second, "coins": 10}
        assert _checked(await self.participate("POST", path, body, uuid4().hex), 201)["kind"] == "reallocate"
        body = {"from_idea_id": first, "coins": 5}
        assert _checked(await self.participate("POST", path, body, uuid4().hex), 201)["kind"] == "take_back"
        assert await self.balance() == {"granted": 100, "wallet": 75, "staked": 25, "expired": 0}
        history = await self.get("/campaigns/{id}/coins/history")
        assert [line["kind"] for line in history["items"]] == ["take_back", "reallocate", "allocate", "grant"]

    async def decide(self) -> None:
        """The manager accepts one idea, undoes and repeats it, and completes the campaign; all coins are accounted for."""
        path = f"/ideas/{self.ideas[0]}/status"
        assert _checked(await self.manage("POST", path, {"status": "accepted"}), 200)["coins"] == 15
        assert await self.balance() == {"granted": 100, "wallet": 75, "staked": 10, "expired": 15}
        undone = {"status": "competing", "reason": "Accepted by mistake"}
        assert _checked(await self.manage("POST", path, undone), 200)["status"] == "competing"
        assert _checked(await self.manage("POST", path, {"status": "accepted"}), 200)["status"] == "accepted"
        completed = _checked(await self.manage("POST", "/campaigns/{id}/complete"), 200)
        assert completed["status"] == "completed"
        assert await self.balance() == {"granted": 100, "wallet": 0, "staked": 0, "expired": 100}
        assert _checked(await self.manage("GET", "/campaigns/{id}/coins/verify"), 200)["holds"] is True

    async def observe(self) -> dict[str, Any]:
        """The state of the campaign after its end, as the clients read it."""
        kinds = [line["kind"] for line in (await self.get("/campaigns/{id}/coins/history"))["items"]]
        policies = await self.get("/campaigns/{id}/coins/policies")
        audited = _checked(await self.manage("GET", "/campaigns/{id}/coins/audit"), 200)["items"]
        return {
            "status": (await self.get("/campaigns/{id}"))["status"],
            "ideas": [(await self.get(f"/ideas/{idea}"))["status"] for idea in self.ideas],
            "coins": [(await self.get(f"/ideas/{idea}"))["coins"] for idea in self.ideas],
            "balance": await self.balance(),
            "history": kinds,
            "policies": [(each["version"], each["coins_per_member_and_idea_max"]) for each in policies],
            "audit": [event["kind"] for event in audited],
        }

    async def balance(self) -> dict[str, int]:
        """The member's coins by account."""
        found = await self.get("/campaigns/{id}/coins/balance")
        return {name: found[f"{name}_coins"] for name in ("granted", "wallet", "staked", "expired")}

    async def get(self, path: str) -> Any:
        """A GET request of the member."""
        return _checked(await self.participate("GET", path), 200)

    async def manage(self, method: str, path: str, body: Any = None) -> Response:
        """A request of the manager."""
        return await self._call(self.manager_email, method, path, body)

    async def participate(self, method: str, path: str, body: Any = None, key: str | None = None) -> Response:
        """A request of the member."""
        return await self._call(self.member_email, method, path, body, key)

    async def _call(self, email: str, method: str, path: str, body: Any = None, key: str | None = None) -> Response:
        client = next(self._client_cycle)
        if (email, client) not in self._tokens:  # a release need not accept the access tokens of another one
            await self._log_in(email, client)
        headers = {"Authorization": f"Bearer {self._tokens[email, client]}"} | ({"Idempotency-Key": key} if key else {})
        url = f"/api/v1{path.replace('{id}', self.campaign_id)}"
        return await client.request(method, url, headers=headers, json=body)

    async def _log_in(self, email: str, client: AsyncClient) -> None:
        response = await client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
        self._tokens[email, client] = _checked(response, 200)["access_token"]


async def make_journey(database: Database, clients: Sequence[AsyncClient]) -> Journey:
    """A journey with two new users in the database that the clients' APIs serve."""
    emails = [f"{role}-{uuid4().hex[:12]}@example.org" for role in ("manager", "member")]
    async with database.session() as session:
        await make_user(session, email=emails[0], password=PASSWORD, permissions=["create_campaign"])
        await make_user(session, email=emails[1], password=PASSWORD)
    return Journey(clients, emails[0], emails[1])


async def observe_by(journey: Journey, client: AsyncClient) -> dict[str, Any]:
    """The state of the journey's campaign, as one of the APIs returns it."""
    return await Journey(
        [client], journey.manager_email, journey.member_email, journey.campaign_id, journey.ideas, journey._tokens
    ).observe()


def _checked(response: Response, status: int) -> Any:
    assert response.status_code == status, response.text
    return response.json()
