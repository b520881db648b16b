"""A full disk in responses and in readiness."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from api.kernel.disk import FREE_BYTES_MIN, MIB, REFUSAL_REPORTED_S, DiskSpace
from api.kernel.heartbeats import Heartbeat
from tests.factories.containers import parts, replaced

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.kernel.db import Database


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with 3 MiB of free space."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(FREE_BYTES_MIN, FREE_BYTES_MIN - 3 * MIB, 3 * MIB))


class TestFindings:
    def test_are_none_with_enough_space(self, tmp_path: Path) -> None:
        assert shutil.disk_usage(tmp_path).free > FREE_BYTES_MIN, "the tests need a disk with free space"
        assert DiskSpace(tmp_path / "not" / "made" / "yet").findings() == {}

    @pytest.mark.usefixtures("few_bytes")
    def test_state_how_much_is_free(self, tmp_path: Path) -> None:
        assert DiskSpace(tmp_path).findings() == {"disk": "3 MiB free for the data folder; less than 512 MiB"}

    def test_report_a_refused_write_for_a_minute(self, tmp_path: Path) -> None:
        now_s = 1000.0
        disk = DiskSpace(tmp_path, clock_s=lambda: now_s)
        disk.note_refusal()
        now_s += REFUSAL_REPORTED_S
        assert disk.findings() == {"disk": "full: PostgreSQL refused a write 60 s ago"}
        now_s += 1
        assert disk.findings() == {}


class TestReadiness:
    @pytest.mark.usefixtures("few_bytes")
    async def test_names_a_disk_that_is_almost_full(self, client: AsyncClient, db: Database) -> None:
        await Heartbeat("host:1").beat(db)
        response = await client.get("/health/ready")
        assert (response.status_code, response.json()["status"]) == (200, "degraded")
        assert response.json()["checks"]["disk"]["detail"].startswith("3 MiB free")

    async def test_names_a_disk_on_which_postgresql_cannot_write(
        self, application: FastAPI, client: AsyncClient, db: Database, tmp_path: Path
    ) -> None:
        await Heartbeat("host:1").beat(db)
        with replaced(application, disk=DiskSpace(tmp_path)):
            parts(application).disk.note_refusal()
            checks = (await client.get("/health/ready")).json()["checks"]
        assert checks["disk"]["detail"].startswith("full: PostgreSQL refused a write")
