"""Short links to ideas.

A link shows an idea to who may see it anyway: it grants no access. Its token is random and cannot be guessed, so that links do
not list the ideas of an installation.
"""

from __future__ import annotations

import re
import secrets
import string
from typing import TYPE_CHECKING, Final

from sqlalchemy import exists, select, update

from api.events.service import record_event
from api.events.sharing_payloads import IdeaLinkRevoked, IdeaShared
from api.ideas import service as ideas
from api.kernel import clock
from api.kernel.ids import uuid7
from api.sharing import errors
from api.sharing.models import Permalink

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.models import Idea

SHARE: Final = "share"
# base 58: letters and digits that are not mistaken for each other; 58 ** 12 is more than 2 ** 70
_ALPHABET: Final = "".join(sorted({*string.digits, *string.ascii_letters} - set("0IOl")))
_LENGTH: Final = 12
_TOKEN = re.compile(f"[{_ALPHABET}]{{{_LENGTH}}}")
_WORKS = (Permalink.kind == SHARE, Permalink.revoked_at.is_(None))


async def share_idea(
    session: AsyncSession, idea: Idea, *, actor_id: UUID, is_manager: bool = False
) -> tuple[Permalink, bool]:
    """The link to a submitted idea, and whether it is new: an idea has one at a time.

    Raises:
        NotSubmitted: the idea is a draft.
        SharingRevoked: a manager has revoked the link, and the caller is none.
    """
    ideas.check_submitted(idea)
    link = await find_link(session, idea.id)
    if link is not None:
        return link, False
    await ideas.get_idea(session, idea.id, lock=True)  # requests of the same moment make one link
    link = await find_link(session, idea.id)
    if link is not None:
        return link, False
    was_revoked = exists().where(Permalink.idea_id == idea.id, Permalink.kind == SHARE)
    if not is_manager and await session.scalar(select(was_revoked)):
        msg = "A manager of the campaign has revoked the link to this idea; only a manager can make a new one."
        raise errors.SharingRevoked(msg)
    link = Permalink(
        id=uuid7(),
        kind=SHARE,
        campaign_id=idea.campaign_id,
        idea_id=idea.id,
        token="".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)),
        created_at=clock.now(),
        created_by=actor_id,
    )
    session.add(link)
    await session.flush()
    await record_event(
        session, IdeaShared(link_id=link.id), actor_id=actor_id, campaign_id=idea.campaign_id, idea_id=idea.id
    )
    return link, True


async def find_link(session: AsyncSession, idea_id: UUID) -> Permalink | None:
    """The link to an idea that works, or None."""
    found: Permalink | None = await session.scalar(select(Permalink).where(Permalink.idea_id == idea_id, *_WORKS))
    return found


async def get_link(session: AsyncSession, idea_id: UUID) -> Permalink:
    """The link to an idea that works.

    Raises:
        NotShared: there is none.
    """
    link = await find_link(session, idea_id)
    if link is None:
        raise _not_shared()
    return link


async def find_link_by_token(session: AsyncSession, token: str) -> Permalink | None:
    """The link with this token that works, or None."""
    if not _TOKEN.fullmatch(token):
        return None
    found: Permalink | None = await session.scalar(select(Permalink).where(Permalink.token == token, *_WORKS))
    return found


async def find_tokens(session: AsyncSession, idea_ids: list[UUID]) -> dict[UUID, str]:
    """The tokens of the links to these ideas, by the idea; ideas without a link are omitted."""
    rows = await session.execute(
        select(Permalink.idea_id, Permalink.token).where(Permalink.idea_id.in_(idea_ids), *_WORKS)
    )
    return {row.idea_id: row.token for row in rows}


async def revoke_link(session: AsyncSession, idea: Idea, *, actor_id: UUID) -> None:
    """Revoke the link to an idea: it is then like one that never existed.

    Raises:
        NotShared: there is none.
    """
    await ideas.get_idea(session, idea.id, lock=True)
    revoked = await session.scalar(
        update(Permalink)
        .where(Permalink.idea_id == idea.id, *_WORKS)
        .values(revoked_at=clock.now(), revoked_by=actor_id)
        .returning(Permalink.id)
    )
    if revoked is None:
        raise _not_shared()
    await record_event(
        session, IdeaLinkRevoked(link_id=revoked), actor_id=actor_id, campaign_id=idea.campaign_id, idea_id=idea.id
    )


def _not_shared() -> errors.NotShared:
    msg = "There is no link to this idea; POST makes one."
    return errors.NotShared(msg)
