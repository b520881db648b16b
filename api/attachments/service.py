"""Attachments of ideas: pictures and other files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from api.attachments import errors
from api.attachments.models import Attachment, AttachmentObject
from api.attachments.pictures import Variant
from api.events import attachment_payloads as payloads
from api.events.service import record_event
from api.ideas import service as ideas
from api.kernel import clock
from api.kernel.ids import uuid7
from api.kernel.storage import ObjectMissing, StorageUnavailable, new_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.attachments.examination import Examined
    from api.ideas.models import Idea
    from api.kernel.storage import StoragePort

PREFIX = "attachments"
ATTACHMENTS_MAX = 10
TOTAL_BYTES_MAX = 50 * 1_048_576
# the stored sizes that can be shown for a wanted one, the best first
_FALLBACKS = {
    Variant.SMALL: (Variant.SMALL, Variant.LARGE, Variant.ORIGINAL),
    Variant.LARGE: (Variant.LARGE, Variant.ORIGINAL),
    Variant.ORIGINAL: (Variant.ORIGINAL,),
}


async def store_variants(storage: StoragePort, file: Examined) -> dict[Variant, str]:
    """Store the variants of a file under new keys; the job deletes those to which no row refers a day later."""
    keys = {variant: new_key(PREFIX) for variant in file.variants}
    for variant, key in keys.items():
        await storage.put(key, file.variants[variant])
    return keys


async def check_free(session: AsyncSession, idea_id: UUID, size_bytes: int = 0) -> None:
    """Check that an idea may have a further attachment.

    Raises:
        TooManyAttachments: it has 10, or more than 50 MiB in total.
    """
    query = select(func.count(), func.coalesce(func.sum(Attachment.size_bytes), 0)).where(Attachment.idea_id == idea_id)
    count, total_bytes = (await session.execute(query)).one()
    if count >= ATTACHMENTS_MAX or total_bytes + size_bytes > TOTAL_BYTES_MAX:
        msg = (
            f"An idea has at most {ATTACHMENTS_MAX} attachments with {TOTAL_BYTES_MAX:,} bytes in total; "
            f"this one has {count} with {total_bytes:,} bytes."
        )
        raise errors.TooManyAttachments(msg, attachments_max=ATTACHMENTS_MAX, bytes_max=TOTAL_BYTES_MAX)


async def add_attachment(
    session: AsyncSession,
    idea_id: UUID,
    file: Examined,
    keys: dict[Variant, str],
    *,
    actor_id: UUID,
    only_while_editable: bool,
) -> Attachment:
    """Attach a stored file to an idea. `only_while_editable`: the actor may do so while the text can be edited.

    Raises:
        IdeaNotFound: there is no such idea.
        IdeaFixed: the text of the idea can no longer be edited.
        TooManyAttachments: see :func:`check_free`.
    """
    idea = await _lock_idea(session, idea_id, only_while_editable=only_while_editable)
    await check_free(session, idea.id, file.size_bytes)
    attachment = Attachment(
        id=uuid7(),
        campaign_id=idea.campaign_id,
        idea_id=idea.id,
        name=file.name,
        media_type=file.format.media_type,
        size_bytes=file.size_bytes,
        width=file.picture.width if file.picture else None,
        height=file.picture.height if file.picture else None,
        sha256=file.sha256,
        uploaded_at=clock.now(),
        uploaded_by=actor_id,
    )
    session.add(attachment)
    await session.flush()
    session.add_all(
        AttachmentObject(key=key, attachment_id=attachment.id, variant=variant) for variant, key in keys.items()
    )
    await session.flush()
    payload = payloads.AttachmentAdded(
        attachment_id=attachment.id, media_type=attachment.media_type, size_bytes=attachment.size_bytes
    )
    await record_event(
        session, payload, actor_id=actor_id, campaign_id=idea.campaign_id, user_id=idea.author_id, idea_id=idea.id
    )
    return attachment


async def delete_attachment(
    session: AsyncSession, idea_id: UUID, attachment_id: UUID, *, actor_id: UUID, only_while_editable: bool
) -> None:
    """Remove an attachment from its idea at once. The job deletes its objects a day later at the earliest.

    Raises:
        IdeaFixed: the text of the idea can no longer be edited.
        AttachmentNotFound: the idea has no such attachment.
    """
    idea = await _lock_idea(session, idea_id, only_while_editable=only_while_editable)
    removed = await session.execute(
        delete(Attachment).where(Attachment.id == attachment_id, Attachment.idea_id == idea.id).returning(Attachment.id)
    )
    if removed.first() is None:
        raise not_found()
    await record_event(
        session,
        payloads.AttachmentDeleted(attachment_id=attachment_id),
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        user_id=idea.author_id,
        idea_id=idea.id,
    )


async def list_attachments(session: AsyncSession, idea_id: UUID) -> Sequence[Attachment]:
    """The attachments of an idea in the order of their upload."""
    return (
        await session.scalars(select(Attachment).where(Attachment.idea_id == idea_id).order_by(Attachment.id))
    ).all()


async def find_first_picture(session: AsyncSession, idea_id: UUID) -> Attachment | None:
    """The picture of an idea that was uploaded first, or None."""
    found: Attachment | None = await session.scalar(
        select(Attachment)
        .where(Attachment.idea_id == idea_id, Attachment.width.is_not(None))
        .order_by(Attachment.id)
        .limit(1)
    )
    return found


async def find_object(
    session: AsyncSession, attachment_id: UUID, wanted: Variant, *, idea_id: UUID | None = None
) -> tuple[Attachment, str]:
    """An attachment, and the key of its wanted size or, if the picture is smaller, of the next larger one.

    Raises:
        AttachmentNotFound: there is no such attachment, or it is not one of the idea `idea_id`.
    """
    attachment = await session.get(Attachment, attachment_id)
    if attachment is None or idea_id not in {None, attachment.idea_id}:
        raise not_found()
    rows = await session.execute(
        select(AttachmentObject.variant, AttachmentObject.key).where(AttachmentObject.attachment_id == attachment_id)
    )
    keys = {Variant(row.variant): row.key for row in rows}
    key = best_key(keys, wanted)
    if key is None:  # deleted between the two statements
        raise not_found()
    return attachment, key


def best_key(keys: Mapping[Variant, str], wanted: Variant) -> str | None:
    """The key of the wanted size or, if it is missing, of the next larger one."""
    return next((keys[each] for each in _FALLBACKS[wanted] if each in keys), None)


def link_subject(attachment_id: UUID) -> str:
    """What a signed link to an attachment names."""
    return f"attachment/{attachment_id}"


async def read_object(storage: StoragePort, key: str) -> bytes:
    """The content of a stored object.

    Raises:
        StorageUnavailable: the store does not work, or has lost the object.
    """
    try:
        return await storage.get(key)
    except ObjectMissing:
        raise StorageUnavailable from None


async def _lock_idea(session: AsyncSession, idea_id: UUID, *, only_while_editable: bool) -> Idea:
    idea = await ideas.get_idea(session, idea_id, lock=True)
    if only_while_editable:
        await ideas.check_text_editable(session, idea)
    return idea


def not_found() -> errors.AttachmentNotFound:
    """The error for an attachment that does not exist, or may not be seen."""
    msg = "The idea has no attachment with this id."
    return errors.AttachmentNotFound(msg)
