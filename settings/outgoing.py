"""Settings of calls to other servers."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator

from settings.subject import Subject

_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


class OutgoingSettings(Subject):
    """Which servers in private networks this installation may call, and how long it waits for other servers."""

    private_hosts: tuple[str, ...] = Field(
        (),
        alias="outgoing_private_hosts",
        description="hosts with private addresses that this installation may call, comma separated, each with or without a "
        "port: id.corp.example, 10.0.0.5:8443, [fd00::5]; empty: only public addresses",
    )
    timeout_s: int = Field(
        10,
        alias="outgoing_timeout_s",
        ge=1,
        le=120,
        description="longest duration of a call to another server, seconds",
    )

    @field_validator("private_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        hosts = tuple(part.strip().lower() for part in value.split(",") if part.strip())
        for host in hosts:
            if not _HOST.fullmatch(host):
                msg = f"{host!r} is not a host, and not a host and a port"
                raise ValueError(msg)
        return hosts

    def allows_private(self, host: str, port: int) -> bool:
        """Whether the host, a name or an address without brackets, may have a private address."""
        name = f"[{host.lower()}]" if ":" in host else host.lower()
        return name in self.private_hosts or f"{name}:{port}" in self.private_hosts
