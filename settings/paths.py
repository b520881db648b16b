"""Settings of folders."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from settings.subject import Subject


class PathSettings(Subject):
    """Folders of the installation; `data_dir` is absolute."""

    data_dir: Path = Field(
        Path(".data"), description="folder for the embedded PostgreSQL, exports, reports, logs, secrets"
    )
    test_elections: Path | None = Field(None, description="folder of real .pb files that the tests import")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()
