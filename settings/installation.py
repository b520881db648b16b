"""Settings of the installation as a whole."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator

from settings.subject import Subject


class Environment(StrEnum):
    """Kind of installation. In `production` no secret is generated, and each is required."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class InstallationSettings(Subject):
    """The environment, and which domains a process serves."""

    environment: Environment = Field(
        Environment.DEVELOPMENT, alias="env", description="development, test or production"
    )
    services: tuple[str, ...] = Field(
        (), description="domains that the API and the worker run, comma separated; empty: all"
    )

    @field_validator("services", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
