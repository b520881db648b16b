from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from pydantic import RedisDsn
from redis.asyncio import Redis
from sqlalchemy import text

from api.auth import log_ins
from api.auth.devices import DeviceCookie
from api.auth.errors import TooManyAttempts
from api.auth.log_in_counts import DatabaseCounts
from api.auth.sessions import Client
from api.auth.shared_log_in_counts import RedisCounts
from api.auth.throttle import ALERT_FAILURES, LogInDelays, Origin
from api.container import make_container
from api.kernel import clock
from settings.auth import AuthSettings
from tests.factories.clocks import GIVE_UP_AFTER_S as PATIENT_S
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.log_in_counts import FailureCounts
    from settings import Settings
    from tests.factories.redis_servers import RedisServer

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANNA, BEN = "anna@example.org", "ben@example.org"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"


class Door:
    """Attempts to log in, at a time that the test sets."""

    def __init__(self, session: AsyncSession, delays: LogInDelays) -> None:
        self.session = session
        self.delays = delays
        self.now = START

    async def wait_s(self, email: str, address: str, device: str | None = None) -> int:
        with clock.at(self.now):
            try:
                await self.delays.check(self.session, email, Origin(address, device))
            except TooManyAttempts as error:
                return error.retry_after_s
        return 0

    async def fail(self, email: str, address: str, device: str | None = None, *, times: int = 1) -> list[bool]:
        """Fail so many times, as late after each other as the delays require; whether each alerts the owner."""
        alerts = []
        for _ in range(times):
            self.now += timedelta(seconds=await self.wait_s(email, address, device))
            with clock.at(self.now):
                standing = await self.delays.check(self.session, email, Origin(address, device))
                alerts.append(await self.delays.failed(self.session, standing))
        return alerts

    async def succeed(self, email: str, address: str, device: str | None = None) -> None:
        with clock.at(self.now):
            await self.delays.succeeded(self.session, email, Origin(address, device))

    async def needs_second_step(self, email: str, address: str, device: str | None = None) -> bool:
        with clock.at(self.now):
            standing = await self.delays.check(self.session, email, Origin(address, device))
        return standing.is_under_attack and not standing.is_known


@pytest.fixture(params=["database", "redis"])
async def counts(request: pytest.FixtureRequest) -> AsyncIterator[FailureCounts]:
    if request.param == "database":
        yield DatabaseCounts()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    shared = RedisCounts(server.url, timeout_s=PATIENT_S)
    yield shared
    await shared.close()


@pytest.fixture
def door(session: AsyncSession, counts: FailureCounts) -> Door:
    return Door(session, LogInDelays(secrets.token_bytes(32), counts))


class TestDelays:
    async def test_start_after_four_failures_and_double_up_to_15_minutes(self, door: Door) -> None:
        waits = []
        for _ in range(17):
            await door.fail(ANNA, HERE)
            waits.append(await door.wait_s(ANNA, HERE))
        assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]

    async def test_a_network_is_counted_over_all_accounts(self, door: Door) -> None:
        for number in range(5):
            await door.fail(f"user{number}@example.org", HERE)
        assert await door.wait_s(BEN, HERE) == 1
        assert await door.wait_s(BEN, "192.0.2.2") == 0

    async def test_failures_from_elsewhere_delay_no_account(self, door: Door) -> None:
        for host in range(60):
            await door.fail(ANNA, f"203.0.113.{host}")
        assert await door.wait_s(ANNA, ELSEWHERE) == 0

    async def test_a_network_that_is_known_is_not_delayed_by_its_other_accounts(self, door: Door) -> None:
        await door.succeed(ANNA, HERE)
        for number in range(20):
            await door.fail(f"user{number}@example.org", HERE)
        assert await door.wait_s(ANNA, HERE) == 0
        assert await door.wait_s(BEN, HERE) > 0

    async def test_own_failures_delay_a_network_that_is_known(self, door: Door) -> None:
        await door.succeed(ANNA, HERE)
        await door.fail(ANNA, HERE, times=6)
        assert await door.wait_s(ANNA, HERE) == 2

    async def test_a_browser_that_is_known_has_its_own_count(self, door: Door) -> None:
        await door.fail(ANNA, HERE, times=7)
        assert await door.wait_s(ANNA, HERE) == 4
        assert await door.wait_s(ANNA, HERE, "her laptop") == 0
        await door.fail(ANNA, HERE, "her laptop", times=5)
        assert await door.wait_s(ANNA, HERE, "her laptop") == 1
        assert await door.wait_s(ANNA, HERE, "her phone") == 0

    async def test_a_success_resets_the_account_there_and_not_the_network(self, door: Door) -> None:
        await door.fail(ANNA, HERE, times=5)
        await door.succeed(ANNA, HERE)
        assert await door.wait_s(ANNA, HERE) == 0
        assert await door.wait_s(BEN, HERE) == 1

    async def test_an_hour_without_a_failure_resets_a_count(self, door: Door) -> None:
        await door.fail(ANNA, HERE, times=12)
        door.now += timedelta(seconds=3601)
        await door.fail(ANNA, HERE)
        assert await door.wait_s(ANNA, HERE) == 0

    async def test_one_host_has_many_ipv6_addresses(self, door: Door) -> None:
        for number in range(5):
            await door.fail(f"user{number}@example.org", f"2001:db8:0:1::{number}")
        assert await door.wait_s(BEN, "2001:db8:0:1:ffff::1") == 1
        assert await door.wait_s(BEN, "2001:db8:0:2::1") == 0

    async def test_upper_and_lower_case_are_one_account(self, door: Door) -> None:
        await door.succeed("Anna@Example.org", HERE)
        await door.fail("ANNA@example.org", HERE, times=5)
        assert await door.wait_s(ANNA, HERE) == 1

    async def test_processes_count_together_and_installations_do_not(
        self, session: AsyncSession, counts: FailureCounts
    ) -> None:
        secret = secrets.token_bytes(32)
        await Door(session, LogInDelays(secret, counts)).fail(ANNA, HERE, times=6)
        assert await Door(session, LogInDelays(secret, counts)).wait_s(ANNA, HERE) > 0
        assert await Door(session, LogInDelays(secrets.token_bytes(32), counts)).wait_s(ANNA, HERE) == 0


class TestAnAccountUnderAttack:
    async def test_alerts_its_owner_once_and_needs_a_second_step_from_unknown_places(self, door: Door) -> None:
        await door.succeed(ANNA, HERE)
        alerts = []
        for host in range(ALERT_FAILURES + 5):
            assert await door.needs_second_step(ANNA, ELSEWHERE) is (host >= ALERT_FAILURES)
            alerts += await door.fail(ANNA, f"203.0.113.{host}")
        assert [number + 1 for number, alert in enumerate(alerts) if alert] == [ALERT_FAILURES]
        assert not await door.needs_second_step(ANNA, HERE)
        assert not await door.needs_second_step(ANNA, ELSEWHERE, "her laptop")

    async def test_ends_after_an_hour_without_a_failure(self, door: Door) -> None:
        for host in range(ALERT_FAILURES):
            await door.fail(ANNA, f"203.0.113.{host}")
        door.now += timedelta(seconds=3601)
        assert not await door.needs_second_step(ANNA, ELSEWHERE)

    async def test_has_one_count_for_all_spellings_that_find_it(self, app: FastAPI) -> None:
        name = f"ivi.{uuid4().hex}@example.org"
        user = await commit_user(app, email=name, password=PASSWORD)
        spellings = [name, name.upper(), name.replace("i", "\u0130"), name.replace("i", "\u0130", 1)]
        attempts = [
            await log_ins.authenticate(
                parts(app).database,
                parts(app).passwords,
                parts(app).log_in_delays,
                email=spellings[host % len(spellings)],
                password="a wrong password",
                client=Client(address=f"203.0.113.{host}"),
            )
            for host in range(ALERT_FAILURES)
        ]
        assert {each.user.id for each in attempts if each.user} == {user.id}
        assert [each.alerts for each in attempts] == [False] * (ALERT_FAILURES - 1) + [True]


class TestSecondStep:
    async def test_wrong_codes_of_an_account_are_delayed_everywhere(self, door: Door) -> None:
        user_id = uuid4()
        with clock.at(START):
            for _ in range(5):
                await door.delays.try_second_step(door.session, user_id)
            with pytest.raises(TooManyAttempts):
                await door.delays.try_second_step(door.session, user_id)
            await door.delays.try_second_step(door.session, uuid4())
            await door.delays.second_step_succeeded(door.session, user_id)
            await door.delays.try_second_step(door.session, user_id)


class TestRedisCounts:
    async def test_write_nothing_to_the_database_and_expire(
        self, session: AsyncSession, redis_server: RedisServer
    ) -> None:
        shared = RedisCounts(redis_server.url, timeout_s=PATIENT_S)
        door = Door(session, LogInDelays(secrets.token_bytes(32), shared))
        before = await session.scalar(text("SELECT count(*) FROM app.log_in_counts"))
        await door.fail(ANNA, HERE, times=6)
        await door.succeed(BEN, HERE)
        assert await session.scalar(text("SELECT count(*) FROM app.log_in_counts")) == before
        async with Redis.from_url(redis_server.url) as redis:
            lasts_s = sorted([await redis.ttl(key) async for key in redis.scan_iter()])
        assert len(lasts_s) == 4  # the network, the account, Anna's account here, and Ben's
        assert all(0 < each <= 3600 for each in lasts_s[:3])
        assert 3600 < lasts_s[3] <= 90 * 86_400
        await shared.close()

    async def test_failures_at_once_are_all_counted(self, session: AsyncSession, redis_server: RedisServer) -> None:
        shared = RedisCounts(redis_server.url, timeout_s=PATIENT_S)
        door = Door(session, LogInDelays(secrets.token_bytes(32), shared))
        with clock.at(START):
            standing = await door.delays.check(session, ANNA, Origin(HERE))
            await asyncio.gather(*(door.delays.failed(session, standing) for _ in range(12)))
        assert await door.wait_s(ANNA, HERE) == 2 ** (12 - 5)
        await shared.close()

    async def test_codes_at_once_are_each_counted(self, session: AsyncSession, redis_server: RedisServer) -> None:
        shared = RedisCounts(redis_server.url, timeout_s=PATIENT_S)
        delays, user_id = LogInDelays(secrets.token_bytes(32), shared), uuid4()
        with clock.at(START):
            tried = await asyncio.gather(
                *(delays.try_second_step(session, user_id) for _ in range(12)), return_exceptions=True
            )
        assert [type(each) for each in tried if each is not None] == [TooManyAttempts] * 7
        await shared.close()

    async def test_the_database_counts_while_redis_is_unavailable(
        self, session: AsyncSession, redis_server: RedisServer
    ) -> None:
        shared = RedisCounts(redis_server.url, timeout_s=PATIENT_S)
        door = Door(session, LogInDelays(secrets.token_bytes(32), shared))
        redis_server.stop()
        await door.fail(ANNA, HERE, times=6)
        assert await door.wait_s(ANNA, HERE) == 2
        await door.succeed(ANNA, HERE)
        assert await door.wait_s(ANNA, HERE) == 0
        await shared.close()

    async def test_a_server_that_stops_within_a_command_delays_no_log_in(
        self, session: AsyncSession, redis_server: RedisServer
    ) -> None:
        shared = RedisCounts(redis_server.url, timeout_s=0.2)
        door = Door(session, LogInDelays(secrets.token_bytes(32), shared))
        await door.fail(ANNA, HERE)  # connects
        redis_server.freeze()
        try:
            async with asyncio.timeout(PATIENT_S / 2):
                await door.fail(ANNA, HERE, times=2)
        finally:
            redis_server.thaw()
        await shared.close()

    async def test_a_setting_selects_them(self, database: Settings, redis_server: RedisServer) -> None:
        settings = database.with_(redis_url=RedisDsn(redis_server.url), log_in_counts="redis", redis_timeout_ms=5000)
        container = make_container(settings)
        async with container.database.session() as session:
            await Door(session, container.log_in_delays).fail(ANNA, HERE)
        async with Redis.from_url(redis_server.url) as redis:
            assert await redis.dbsize() == 3
        await container.close()


class TestDeviceCookie:
    SETTINGS = AuthSettings.model_validate({"jwt_secret": "s" * 40})
    OTHER = AuthSettings.model_validate({"jwt_secret": "t" * 40})

    def test_is_read_as_it_was_signed(self) -> None:
        cookie = DeviceCookie.of_user(uuid4(), None)
        assert DeviceCookie.read(self.SETTINGS, cookie.signed(self.SETTINGS)) == cookie

    def test_stays_the_same_for_its_account_only(self) -> None:
        cookie = DeviceCookie.of_user(uuid4(), None)
        assert DeviceCookie.of_user(cookie.user_id, cookie) == cookie
        assert DeviceCookie.of_user(uuid4(), cookie).device != cookie.device

    def test_a_forged_or_changed_one_is_ignored(self) -> None:
        signed = DeviceCookie.of_user(uuid4(), None).signed(self.SETTINGS)
        changed = f"{uuid4()}{signed[36:]}"
        for value in (None, "", "x", "a" * 300, signed[:-1], changed, signed + "x"):
            assert DeviceCookie.read(self.SETTINGS, value) is None
        assert DeviceCookie.read(self.OTHER, signed) is None
