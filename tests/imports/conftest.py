"""Imports bytes as a named file, in a session that is rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.factories.elections import Importer

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession


@pytest.fixture
def importer(session: AsyncSession, tmp_path: Path) -> Importer:
    return Importer(session, tmp_path)
