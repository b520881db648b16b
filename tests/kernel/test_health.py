"""Liveness, and readiness by dependency: real servers that work, stop, or do not answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from pydantic import RedisDsn
from sqlalchemy import text

from api.kernel.container import Probe
from api.kernel.heartbeats import Heartbeat
from api.kernel.mail import MailUnavailable
from api.kernel.schema import SchemaState
from api.kernel.smtp import CHECK_KEPT_S, SmtpMail
from api.main import create_app
from tests.factories.clocks import Clock
from tests.factories.containers import parts, replaced
from tests.factories.mail_servers import mail, mail_server

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.kernel.db import Database
    from settings import Settings
    from tests.factories.redis_servers import RedisServer

OF_THE_DATABASE = {"database", "migrations", "routines", "worker", "consumers"}


@pytest.fixture(autouse=True)
async def _a_worker_and_no_parked_events(db: Database) -> None:
    async with db.session() as session:
        await session.execute(text("DELETE FROM app.event_failures"))
    await Heartbeat("host:1").beat(db)


async def ready(client: AsyncClient) -> tuple[int, str, dict[str, Any]]:
    response = await client.get("/health/ready")
    found = response.json()
    return response.status_code, found["status"], found["checks"]


async def of_settings(settings: Settings) -> tuple[int, str, dict[str, Any]]:
    app = create_app(settings)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://testserver") as client:
        found = await ready(client)
    await parts(app).close()
    return found


class TestLive:
    async def test_asks_nothing(self, client: AsyncClient) -> None:
        assert (await client.get("/health/live")).json() == {"status": "ok", "checks": {}}


class TestReady:
    async def test_names_each_dependency_with_its_latency(self, client: AsyncClient) -> None:
        status, result, checks = await ready(client)
        assert (status, result, set(checks)) == (200, "ok", OF_THE_DATABASE)
        assert {name for name, check in checks.items() if check["required"]} == {"database", "migrations"}
        for name, check in checks.items():
            assert (check["ok"], check["detail"]) == (True, None), name
        assert {name for name, check in checks.items() if check["latency_ms"] is not None} == {
            "database", "worker", "consumers",
        }  # fmt: skip
        assert checks["database"]["latency_ms"] > 0

    async def test_needs_its_migrations(self, application: FastAPI, client: AsyncClient) -> None:
        needed = parts(application).needed_schema
        assert needed.revision is not None
        with replaced(application, needed_schema=SchemaState(needed.revision + 1, needed.routines)):
            status, result, checks = await ready(client)
        assert (status, result, checks["database"]["ok"]) == (503, "failing", True)
        assert "ideamint db migrate" in checks["migrations"]["detail"]

    async def test_accepts_a_later_database(self, application: FastAPI, client: AsyncClient) -> None:
        """Another version may have migrated it; its routines are reported."""
        needed = parts(application).needed_schema
        assert needed.revision is not None
        routines = {**needed.routines, "coins/sql/moves.sql": "another"}
        with replaced(application, needed_schema=SchemaState(needed.revision - 1, routines)):
            status, result, checks = await ready(client)
        assert (status, result, checks["migrations"]["ok"]) == (200, "degraded", True)
        assert checks["routines"]["detail"] == "not of this version: coins/sql/moves.sql"

    async def test_needs_the_database(self, database: Settings) -> None:
        away = type(database.database.url)("postgresql://127.0.0.1:1/ideamint")  # type: ignore[misc]
        app = create_app(database.with_(database_url=away))
        async with AsyncClient(transport=ASGITransport(app), base_url="http://testserver") as client:
            status, result, checks = await ready(client)
            login = await client.post("/api/v1/auth/login", json={"email": "a@example.org", "password": "a" * 12})
        assert (status, result) == (503, "failing")
        assert set(checks) == {"database"}
        assert (checks["database"]["required"], checks["database"]["detail"]) == (True, "unavailable")
        assert (login.status_code, login.json()["type"]) == (503, "urn:ideamint:problem:database-unavailable")
        assert login.headers["retry-after"] == "1"
        await parts(app).database.close()

    async def test_asks_at_the_same_time_and_waits_for_a_bounded_time(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        both = asyncio.Barrier(2)

        async def meet() -> None:
            await both.wait()

        async def hang() -> None:
            await asyncio.Event().wait()

        async def break_() -> None:
            msg = "secret-host:25 refuses the password"
            raise RuntimeError(msg)

        probes = (Probe("one", meet), Probe("two", meet), Probe("hangs", hang, timeout_s=0.05), Probe("broken", break_))
        with replaced(application, probes=probes):
            status, result, checks = await ready(client)
        assert (status, result) == (200, "degraded")
        assert [checks[name]["ok"] for name in ("one", "two", "hangs", "broken")] == [True, True, False, False]
        # a stranger learns no more than that
        assert [checks[name]["detail"] for name in ("hangs", "broken")] == ["unavailable", "unavailable"]
        assert checks["hangs"]["latency_ms"] >= 50


class TestRedis:
    async def test_is_asked_if_it_is_configured(self, database: Settings, redis_server: RedisServer) -> None:
        settings = database.with_(redis_url=RedisDsn(redis_server.url), redis_timeout_ms=5000)
        status, result, checks = await of_settings(settings)
        assert (status, result, checks["redis"]["ok"], checks["redis"]["required"]) == (200, "ok", True, False)
        assert checks["redis"]["latency_ms"] > 0
        redis_server.stop()
        status, result, checks = await of_settings(settings)
        assert (status, result, checks["redis"]["detail"]) == (200, "degraded", "unavailable")


class TestMail:
    async def test_is_asked_if_it_is_configured(self, database: Settings) -> None:
        async with mail_server() as server:
            settings = database.with_(smtp_host="127.0.0.1", smtp_port=server.port, smtp_security="none")
            status, result, checks = await of_settings(settings)
            assert (status, result, checks["mail"]["ok"], checks["mail"]["required"]) == (200, "ok", True, False)
            assert server.connections == 1
        status, result, checks = await of_settings(settings)
        assert (status, result, checks["mail"]["detail"]) == (200, "degraded", "unavailable")


class TestSmtpCheck:
    @pytest.fixture
    async def clock(self) -> Clock:
        return Clock()

    async def test_is_kept_and_its_connection_used_for_mails(self, database: Settings, clock: Clock) -> None:
        async with mail_server() as server:
            settings = database.with_(smtp_host="127.0.0.1", smtp_port=server.port, smtp_security="none")
            port = SmtpMail(settings.mail, clock_s=clock)
            for _ in range(3):
                await port.check()
            await port.send(mail())
            assert server.connections == 1
            await server.stop()
            await port.check()
            clock.now_s += CHECK_KEPT_S
            with pytest.raises(MailUnavailable, match="Connection refused"):
                await port.check()
            await server.start()
            with pytest.raises(MailUnavailable):
                await port.check()
            await port.close()
