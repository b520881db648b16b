"""Settings of Redis."""

from __future__ import annotations

from pydantic import Field, RedisDsn

from settings.subject import Subject


class RedisSettings(Subject):
    """The Redis server that API processes share, if one is configured."""

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
