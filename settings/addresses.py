"""Settings of the addresses of servers, for listening and for clients."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from settings.subject import Subject

_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _as_origin(text: str) -> str | None:
    """The origin as browsers send it: in lower case, without the default port. None if the text is not an origin."""
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, host = found[1].lower(), found[2].lower()
    port = int(found[3] or _DEFAULT_PORTS[scheme])
    if not 1 <= port <= 65535:
        return None
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


class AddressSettings(Subject):
    """Hosts, ports and URLs of the servers of `ideamint up`."""

    bind_host: str = Field("127.0.0.1", description="address that the servers of `ideamint up` listen on")
    api_port: int = Field(8000, ge=1, le=65535, description="port of the API")
    dashboards_port: int = Field(8501, ge=1, le=65535, description="port of the dashboards")
    dagster_port: int = Field(3000, ge=1, le=65535, description="port of Dagster's web page")
    api_url: str = Field(
        "",
        description="URL of the API for the dashboards and Dagster's page; empty: the host and port that it listens on",
    )
    public_api_url: str = Field("", description="URL of the API for browsers; empty: http://localhost and its port")
    public_dashboards_url: str = Field(
        "", description="URL of the dashboards for browsers; empty: http://localhost and their port"
    )
    public_dagster_url: str = Field(
        "", description="URL of Dagster's page for browsers, without a path; empty: http://localhost and its port"
    )

    public_hosts: str = Field(
        "",
        description="further hosts that requests to the API may name, comma separated; those of the addresses above and "
        "localhost are known",
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="other sites whose programs browsers let call the API, comma separated and exact, such as "
        "https://app.example.org; empty: none",
    )
    trusted_proxies: str = Field(
        "",
        description="addresses or networks of reverse proxies that report the client's address and scheme, comma "
        "separated; empty: none",
    )

    @model_validator(mode="before")
    @classmethod
    def _public_urls_follow_ports(cls, values: dict[str, Any]) -> dict[str, Any]:
        derived = {}
        for part in ("api", "dashboards", "dagster"):
            port = values.get(f"{part}_port", cls.model_fields[f"{part}_port"].default)
            derived[f"public_{part}_url"] = values.get(f"public_{part}_url") or f"http://localhost:{port}"
        return values | derived

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _exact(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if (sent := _as_origin(origin)) != origin:
                hint = f"browsers send {sent}" if sent else "not an origin: scheme://host or scheme://host:port"
                msg = f"{origin!r}: {hint}"
                raise ValueError(msg)
        return value

    @property
    def internal_api_url(self) -> str:
        """Address of the API for other processes of this installation, without a trailing slash."""
        if self.api_url:
            return self.api_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind_host, self.bind_host)  # noqa: S104 - not bound here
        return f"http://[{host}]:{self.api_port}" if ":" in host else f"http://{host}:{self.api_port}"

    def public_url(self, path: str) -> str:
        """The URL of a path of the API or one of its pages for browsers; the path begins with a slash.

        It is that of the settings: the Host header of a request never gets into it.
        """
        return self.public_api_url.rstrip("/") + path

    @property
    def known_hosts(self) -> frozenset[str]:
        """Hosts that the Host header of a request may have, in lower case, without ports; IPv6 in brackets."""
        urls = (self.public_api_url, self.internal_api_url)
        named = [host.strip() for host in self.public_hosts.split(",") if host.strip()]
        found = [*(urlsplit(url).netloc.rpartition("@")[2] for url in urls), *named]
        hosts = {re.sub(r":[0-9]+$", "", host).lower() for host in found}
        return frozenset(hosts | {"localhost", "127.0.0.1", "[::1]"})
