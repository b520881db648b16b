"""The person behind a connection, by the cookie of the API's log-in page."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from uuid import UUID

import httpx2
from pydantic import BaseModel, ValidationError

from api.auth.dependencies import COOKIE
from api.kernel.permissions import Permission, grants

_TIMEOUT_S = 5.0
_KEPT_S = 10.0
_KEPT_MAX = 1000


class Viewer(BaseModel, frozen=True):
    """A logged-in person, as returned by `GET /api/v1/auth/session`."""

    user_id: UUID
    display_name: str
    roles: tuple[str, ...] = ()

    def may(self, permission: Permission) -> bool:
        """Whether one of the person's roles grants a permission."""
        return grants(self.roles, permission)


class NoAnswer(Exception):
    """The API gave no usable answer, so it is not known whose connection this is."""


@dataclass
class Viewers:
    """Asks the API of this installation who a person is; answers are kept for 10 s, by the cookie's hash."""

    api_url: str
    client: httpx2.AsyncClient = field(
        default_factory=lambda: httpx2.AsyncClient(trust_env=False, timeout=_TIMEOUT_S, follow_redirects=False)
    )
    _kept: dict[bytes, tuple[float, Viewer | None]] = field(default_factory=dict)

    async def find(self, cookie: str | None) -> Viewer | None:
        """The person whose session this cookie is; None without a session.

        Raises:
            NoAnswer: the API cannot be reached or fails.
        """
        if not cookie:
            return None
        key = hashlib.sha256(cookie.encode()).digest()
        asked_at, viewer = self._kept.get(key, (float("-inf"), None))
        if time.monotonic() - asked_at > _KEPT_S:
            viewer = await self._ask(cookie)
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[key] = (time.monotonic(), viewer)
        return viewer

    async def close(self) -> None:
        """Close the connections to the API."""
        await self.client.aclose()

    async def _ask(self, cookie: str) -> Viewer | None:
        try:
            response = await self.client.get(
                f"{self.api_url}/api/v1/auth/session", headers={"Cookie": f"{COOKIE}={cookie}"}
            )
            if response.status_code == httpx2.codes.UNAUTHORIZED:
                return None
            response.raise_for_status()
            return Viewer.model_validate_json(response.content)
        except (httpx2.HTTPError, ValidationError, UnicodeError) as error:
            raise NoAnswer from error
