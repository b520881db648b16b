"""The rows of lists, which PostgreSQL writes as JSON, are those of the model, for every kind of reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from httpx2 import ASGITransport, AsyncClient

from api.ideas.lists.filter_routes import FilteredPage
from api.ideas.schemas import IdeaDetail, IdeaPage, IdeaRead
from api.kernel.permissions import CampaignRole, SystemRole
from tests.factories.campaigns import DESCRIPTION, make_world
from tests.factories.containers import parts
from tests.factories.ledgers import aggregate_now
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.auth.models import User

HARD = 'Quotes ", backslashes \\, </script>, snow ☃, 𝄞 and "b"'
READERS = ("author", "backer", "visitor", *CampaignRole, SystemRole.SYSTEM_ADMIN, SystemRole.EXECUTIVE)


@pytest.mark.parametrize("is_mediated", [False, True], ids=["open", "mediated"])
async def test_are_those_of_the_model(application: FastAPI, is_mediated: bool) -> None:  # noqa: FBT001 - a parameter
    async with AsyncClient(transport=ASGITransport(app=application), base_url="http://testserver") as client:
        world = await make_world(application, client, members=6, is_mediated=is_mediated)
        author, backer, *others = world.members
        readers: dict[str, User] = {
            "author": author,
            "backer": backer,
            "visitor": await commit_user(application),
            CampaignRole.MANAGER: world.manager,
            CampaignRole.MEMBER: others[0],
            SystemRole.SYSTEM_ADMIN: await commit_user(application, roles=["system_admin"]),
            SystemRole.EXECUTIVE: await commit_user(application, roles=["executive"]),
        }
        for role, member in ((CampaignRole.MODERATOR, others[1]), (CampaignRole.OBSERVER, others[2])):
            made = await world.call(
                world.manager, "PUT", f"/campaigns/{{id}}/members/{member.id}/role", params={"role": role}
            )
            assert made.is_success, made.text
            readers[role] = member
        assert set(readers) == set(READERS)
        ideas = []
        for n in range(5):
            body: dict[str, Any] = {
                "title": f"{n} {HARD}", "description": f"{DESCRIPTION}\n\tA second line. {HARD}", "category": "Parks",
                "tags": ["a, b", 'c "d"'], "location": {"latitude": 52.25, "longitude": -0.1},
            }  # fmt: skip
            made = await world.call(
                author, "POST", "/campaigns/{id}/ideas", json=body if n % 2 else {**body, "location": None, "tags": []}
            )
            assert made.status_code == 201, made.text
            ideas.append(made.json()["id"])
        if is_mediated:
            for idea in ideas[:4]:
                assert (await world.step(world.manager, idea, "competing")).is_success
        for idea, coins in zip(ideas[:4], (5, 7, 9, 0), strict=True):
            if coins:
                assert (await world.allocate(backer, idea, coins)).status_code == 201
        assert (await world.step(world.manager, ideas[0], "accepted")).is_success
        assert (await world.step(world.manager, ideas[1], "rejected", "Not this year.")).is_success
        await world.call(author, "POST", "/campaigns/{id}/ideas/drafts", json={"title": "A draft"})
        await aggregate_now(parts(application).database)
        for reader, user in readers.items():
            for query in ({}, {"mine": True}, {"status": ["rejected", "pending"]}, {"limit": 2}):
                page = await world.call(user, "GET", "/campaigns/{id}/ideas", params={"sort": "newest", **query})
                filtered_query = {"is": "mine"} if "mine" in query else query
                filtered = await world.call(
                    user, "GET", "/campaigns/{id}/ideas/filter", params={"sort": "newest", **filtered_query}
                )
                assert page.status_code == filtered.status_code == 200, (reader, page.text, filtered.text)
                assert _written(IdeaPage, page.content) == page.json()
                assert _written(FilteredPage, filtered.content) == filtered.json()
                for idea in page.json()["items"]:
                    single = (await world.call(user, "GET", f"/ideas/{idea['id']}")).json()
                    assert _written(IdeaDetail, orjson.dumps(single)) == single
                    assert {name: single[name] for name in IdeaRead.model_fields} == idea, reader


def _written(model: type[IdeaPage | IdeaDetail], content: bytes) -> Any:
    """What the model makes of a response: the same values, in the same form and without further fields."""
    return orjson.loads(model.model_validate_json(content, extra="forbid").model_dump_json())
