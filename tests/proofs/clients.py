"""Clients that allocate over HTTP and retry each command with its key until it is acknowledged, and their audit."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.proofs.installations import Account, Campaign

CLIENTS = 64
RETRY_AFTER_S = 0.1
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Acknowledged:
    """A command and its final response."""

    account: Account
    key: str
    transfer_id: str
    body: Any
    sent_at: float
    received_at: float
    is_replay: bool


@dataclass
class Run:
    """Commands of one coin each on the hot idea, sent by concurrent clients."""

    campaign: Campaign
    urls: Sequence[str]
    commands: int
    key: str = "command"
    acknowledged: list[Acknowledged] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    async def execute(self) -> None:
        """Send each command until it is acknowledged; a status other than 201 and 503 ends the run."""
        commands = iter(range(self.commands))
        limits = httpx2.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
        async with (
            httpx2.AsyncClient(limits=limits, timeout=TIMEOUT_S, trust_env=False) as http,
            asyncio.TaskGroup() as clients,
        ):
            for _ in range(CLIENTS):
                clients.create_task(self._client(http, commands))

    async def _client(self, http: httpx2.AsyncClient, commands: Any) -> None:
        for number in commands:
            account = self.campaign.accounts[number % len(self.campaign.accounts)]
            self.acknowledged.append(await self._acknowledge(http, account, f"{self.key}-{number}"))

    async def _acknowledge(self, http: httpx2.AsyncClient, account: Account, key: str) -> Acknowledged:
        while True:
            sent_at = time.monotonic()
            try:
                response = await allocate(http, random.choice(self.urls), self.campaign, account, key)
            except httpx2.TransportError as error:
                self.failures[type(error).__name__] += 1
            else:
                if response.status_code == 201:
                    body = response.json()
                    return Acknowledged(
                        account, key, body["transfer_id"], body, sent_at, time.monotonic(),
                        is_replay=response.headers.get("Idempotency-Replayed") == "true",
                    )  # fmt: skip
                assert response.status_code == 503, response.text
                assert response.headers["Retry-After"] == "1"
                self.failures["503"] += 1
            await asyncio.sleep(RETRY_AFTER_S)

    async def reach(self, acknowledged: int) -> None:
        """Wait until this number of commands is acknowledged."""
        while len(self.acknowledged) < acknowledged:  # noqa: ASYNC110 - the clients set no event
            await asyncio.sleep(0.005)

    async def recovery_time(self, since: float) -> float:
        """Seconds from `since` until the acknowledgement of a command that was sent later."""
        seen = len(self.acknowledged)
        while True:
            for each in itertools.islice(self.acknowledged, seen, None):
                if each.sent_at > since:
                    return each.received_at - since
            seen = len(self.acknowledged)
            await asyncio.sleep(0.005)


async def allocate(
    http: httpx2.AsyncClient, url: str, campaign: Campaign, account: Account, key: str
) -> httpx2.Response:
    """Allocate one coin to the hot idea."""
    return await http.post(
        url + campaign.path,
        json={"idea_id": str(campaign.idea_id), "coins": 1},
        headers={"Authorization": f"Bearer {account.token}", "Idempotency-Key": key},
    )


def audit(campaign: Campaign, acknowledged: Sequence[Acknowledged]) -> None:
    """Assert that coins are conserved, and that the transfers are exactly those of the acknowledged commands."""
    transfers_by_key = {
        (user_id, key): str(transfer_id)
        for user_id, key, transfer_id in campaign.query(
            "SELECT user_id, key, transfer_id FROM app.coin_keys WHERE campaign_id = %(campaign)s"
        )
    }
    acknowledged_transfers = {(each.account.user_id, each.key): each.transfer_id for each in acknowledged}
    assert len(acknowledged_transfers) == len(acknowledged)
    lost = {
        command
        for command, transfer_id in acknowledged_transfers.items()
        if transfers_by_key.get(command) != transfer_id
    }
    assert not lost, f"{len(lost)} acknowledged commands differ from the ledger"
    assert len(set(transfers_by_key.values())) == len(transfers_by_key), "two keys have one transfer"

    transfers = {
        str(transfer_id)
        for (transfer_id,) in campaign.query(
            "SELECT id FROM app.coin_transfers WHERE campaign_id = %(campaign)s AND kind = 'allocate'"
        )
    }
    assert transfers == set(transfers_by_key.values()), "a transfer has no key, or a key no transfer"
    ((staked, *faults),) = campaign.query(
        "SELECT staked_coins, difference_coins, wrong_balances, unbalanced_transfers, wrong_totals "
        "FROM app.coins_verify(%(campaign)s)"
    )
    assert staked == len(transfers_by_key)
    assert not any(faults), f"difference, wrong balances, unbalanced transfers, wrong totals: {faults}"
