"""The mails that an application sends, as their readers receive them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.auth.account_mails import send_account_mail
from api.campaigns.invitations.mailing import send_campaign_invitation
from api.kernel.mail import FolderMail
from tests.factories.containers import parts, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

    from fastapi import FastAPI

_WAITING = text(
    """
    SELECT m.id FROM app.account_mails AS m LEFT JOIN app.users AS u ON u.id = m.user_id
    WHERE m.sent_at IS NULL AND lower(:address) IN (lower(u.email), lower(m.email))
    ORDER BY m.created_at, m.id
    """
)
_INVITED = text(
    "SELECT i.id FROM app.campaign_invitations AS i WHERE i.sent_at IS NULL AND lower(i.email) = lower(:address) ORDER BY i.id"
)
_TOKEN = re.compile(
    r"^(https?://\S+/)(verify-email|reset-password|invitation|campaign-invitation)\?token=(\S+)$", re.MULTILINE
)


@dataclass
class Mailbox:
    """Carries out the jobs of the mails about accounts and campaigns to one address, and reads what they have sent."""

    app: FastAPI
    folder: Path
    _read: set[str] = field(default_factory=set)

    async def receive(self, address: str) -> list[EmailMessage]:
        """Send the ordered mails to this address, and return the new ones to this address."""
        async with parts(self.app).database.session() as session:
            waiting = list(await session.scalars(_WAITING, {"address": address}))
        for mail_id in waiting:
            await send_account_mail(parts(self.app), mail_id=mail_id)
        async with parts(self.app).database.session() as session:
            invited = list(await session.scalars(_INVITED, {"address": address}))
        for invitation_id in invited:
            await send_campaign_invitation(parts(self.app), invitation_id=invitation_id)
        received = []
        for path in sorted(self.folder.glob("*.eml")):
            message: EmailMessage = message_from_bytes(path.read_bytes(), policy=policy.default)
            if path.name not in self._read and address.lower() in message["To"].lower():
                self._read.add(path.name)
                received.append(message)
        return received

    async def token(self, address: str) -> str:
        """The token of the link in the only new mail to this address."""
        (message,) = await self.receive(address)
        return token_of(message)


def text_of(message: EmailMessage) -> str:
    """The plain text of a mail."""
    body = message.get_body(("plain",))
    assert body is not None
    content: str = body.get_content()
    return content.replace("\r\n", "\n")


def token_of(message: EmailMessage) -> str:
    """The token of the link in a mail."""
    found = _TOKEN.search(text_of(message))
    assert found, text_of(message)
    return found[3]


@contextmanager
def mailbox(app: FastAPI, folder: Path) -> Iterator[Mailbox]:
    """The application writes its mails to the folder meanwhile."""
    with replaced(app, mail=FolderMail(folder, parts(app).settings.mail.sender)):
        yield Mailbox(app, folder)
