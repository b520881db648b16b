"""Settings of Redis."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, RedisDsn, ValidationInfo, field_validator

from settings.subject import PREFIX, Subject


class LogInCounts(StrEnum):
    """Where failed log-ins are counted."""

    POSTGRESQL = "postgresql"
    REDIS = "redis"


class RedisSettings(Subject):
    """The Redis server that API processes share, if one is configured, and what they keep in it."""

    url: RedisDsn | None = Field(
        None,
        alias="redis_url",
        repr=False,
        description="redis://user:password@host:port/number (rediss:// over TLS) of a Redis that the API's processes "
        "share; empty: each process counts rate limits separately",
    )
    timeout_ms: int = Field(
        100,
        alias="redis_timeout_ms",
        ge=1,
        description="longest wait for Redis before the process counts separately, milliseconds",
    )
    log_in_counts: LogInCounts = Field(
        LogInCounts.POSTGRESQL,
        description="where failed log-ins are counted, which delay further ones: postgresql, or redis, so that a flood of them "
        "writes nothing to the database (needs the URL of a Redis)",
    )

    @field_validator("log_in_counts")
    @classmethod
    def _has_a_server(cls, value: LogInCounts, others: ValidationInfo) -> LogInCounts:
        if value is LogInCounts.REDIS and others.data.get("url", "invalid") is None:
            msg = f"needs {PREFIX}REDIS_URL"
            raise ValueError(msg)
        return value
