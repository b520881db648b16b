"""A locked or heavily requested row delays only the requests for that row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest

from api.coins.commands.batcher import Batcher
from tests.factories.campaigns import further_application, make_world, submit_many
from tests.factories.ledgers import conservation, make_ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.kernel.db import Database
    from settings import Settings

WALLET = "SELECT FROM app.coin_accounts WHERE campaign_id = %(campaign)s AND user_id = %(member)s AND kind = 'wallet' FOR UPDATE"
IDEA = "SELECT pg_advisory_xact_lock(uuid_hash_extended(%(idea)s, 0))"
TARGET = "SELECT FROM app.coin_targets WHERE idea_id = %(idea)s FOR UPDATE"


class TestOneHeldRow:
    @pytest.mark.parametrize(
        ("what", "hold", "is_waited_for"),
        [("wallet", WALLET, True), ("idea's lock", IDEA, True), ("target row", TARGET, False)],
        ids=["wallet", "idea", "target"],
    )
    async def test_delays_only_requests_for_it(
        self,
        database: Settings,
        admin_url: str,
        what: str,
        hold: str,
        *,
        is_waited_for: bool,
        full: bool,
        figure: Callable[[str], None],
    ) -> None:
        """The responses to other requests arrive before the row is released; a process that waits for the row could not send them."""
        others, rounds = 30, 20 if full else 2
        settings = database.with_(ledger_deadline_ms=300)
        async with (
            further_application(settings) as (app, client),
            await psycopg.AsyncConnection.connect(admin_url) as holder,
        ):
            world = await make_world(app, client, members=others + 2)
            held_idea, free_idea = await submit_many(world, 2)
            member = world.members[1]
            await holder.execute(hold, {"campaign": world.campaign_id, "member": member.id, "idea": held_idea})

            held = asyncio.create_task(world.allocate(member, held_idea, 1, "held"))
            responses = await asyncio.gather(
                *(world.allocate(other, free_idea, 1) for _ in range(rounds) for other in world.members[2:])
            )
            assert {response.status_code for response in responses} == {201}
            own = await held
            if is_waited_for:
                assert (own.status_code, own.json()["type"]) == (503, "urn:ideamint:problem:ledger-busy")
                assert int(own.headers["retry-after"]) > 0
                await holder.rollback()
                own = await world.allocate(member, held_idea, 1, "held")
            assert own.status_code == 201
            assert "idempotency-replayed" not in own.headers
        outcome_text = "busy after its deadline, moved after the release" if is_waited_for else "moved as well"
        figure(
            f"a held {what}: {len(responses)} of {others * rounds} allocations of others moved meanwhile; its own {outcome_text}"
        )

    async def test_succeeds_if_it_is_released_in_time(self, database: Settings, db: Database, admin_url: str) -> None:
        async with db.session() as session:
            ledger = await make_ledger(session)
        settings = database.with_(ledger_deadline_ms=60_000)
        async with (
            await psycopg.AsyncConnection.connect(admin_url) as holder,
            Batcher(settings.database, settings.ledger) as batcher,
        ):
            await holder.execute(IDEA, {"idea": ledger.ideas[1]})
            waiting = asyncio.create_task(batcher.move(ledger.move(1, target=1, key="held")))
            other = await batcher.move(ledger.move(1, target=2, member=2, key="free"))
            assert (other.outcome, waiting.done()) == ("moved", False)
            await holder.rollback()
            assert (await waiting).outcome == "moved"


class TestOneBusyWallet:
    async def test_does_not_delay_later_requests_of_others(
        self, database: Settings, db: Database, *, full: bool, figure: Callable[[str], None]
    ) -> None:
        crowd = 1000 if full else 200
        async with db.session() as session:
            ledger = await make_ledger(session, members=4, coins_per_member=crowd)
        completed: list[int] = []
        first = asyncio.Event()
        async with Batcher(database.database, database.ledger) as batcher:

            async def request(member: int, n: int) -> None:
                outcome = await batcher.move(ledger.move(1, member=member, target=1, key=f"request-{n}"))
                assert outcome.outcome == "moved"
                completed.append(member)
                first.set()

            waiting = [asyncio.create_task(request(1, n)) for n in range(crowd)]
            await first.wait()
            ahead = crowd - len(completed)
            await asyncio.gather(request(2, crowd), request(3, crowd), *waiting)
        waited_for = [completed[: completed.index(member)].count(1) - (crowd - ahead) for member in (2, 3)]
        # one or two running batches, and the batch of these requests
        assert max(waited_for) < ahead // 4
        found = await conservation(db, ledger)
        assert found.staked_coins == crowd + 2
        figure(f"two members' requests behind {ahead} of one wallet: completed after {waited_for} of those")
