"""Mails of the platform itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from api.kernel.mail_templates import MailContent


@dataclass(frozen=True, kw_only=True)
class Trial(MailContent):
    """Sent by `ideamint mail test`, to try the settings."""

    at: datetime


EXAMPLES: tuple[MailContent, ...] = (Trial(at=datetime(2026, 11, 26, 20, 14, tzinfo=UTC)),)
