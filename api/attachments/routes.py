"""Routes of the attachments of ideas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api.attachments import errors, links, service
from api.attachments.container import ProvidedExamination, ProvidedStorage
from api.attachments.files import BINARY, FILE_RESPONSES, VARIANT_OF, PictureWidth, file_response
from api.attachments.formats import NAME_LENGTH_MAX
from api.attachments.schemas import AttachmentRead
from api.auth import service as auth
from api.ideas import service as ideas
from api.ideas.authors import mark_author
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.ideas.errors import IdeaFixed
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.storage import StorageUnavailable
from api.kernel.texts import Line
from api.kernel.web import Session
from api.kernel.web import router as new_router

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.attachments.models import Attachment
    from api.kernel.storage import StoragePort
    from settings import Settings

PATH = "/ideas/{idea_id}/attachments"

router = new_router("", "attachments")

OnIdea = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))]
Editor = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.EDIT_IDEA, Permission.MANAGE_IDEAS))]


@router.get(PATH, operation_id="listAttachments")
async def list_all(session: Session, settings: ProvidedSettings, access: OnIdea) -> list[AttachmentRead]:
    """The pictures and files of the idea, at most ten, in the order of their upload."""
    found = [_as_read(settings, row) for row in await service.list_attachments(session, access.idea.id)]
    mark_author(access, found, uploaded_by="by_author")
    await auth.add_names(session, found, uploaded_by="uploaded_by_name")
    return found


@router.post(
    PATH,
    status_code=201,
    operation_id="addAttachment",
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": BINARY}}},
)
@raises(
    IdeaFixed, errors.TooManyAttachments, errors.UnsupportedFile, errors.UnreadablePicture, errors.PictureTooLarge,
    errors.UploadsBusy, StorageUnavailable,
)  # fmt: skip
@counts_as(RateClass.UPLOADS)
async def add(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    storage: ProvidedStorage,
    examination: ProvidedExamination,
    access: Editor,
    name: Annotated[Line, Query(min_length=1, max_length=NAME_LENGTH_MAX, description="the name of the file")],
) -> AttachmentRead:
    """Attach the file that is the body of the request to the idea.

    Its author may do so while the text can be edited, managers always. The type is found by the content: png, jpg, webp, gif;
    pdf, docx, xlsx, odt, txt, csv. Pictures are stored without metadata; of an animation, the first frame.
    """
    only_while_editable = not access.may(Permission.MANAGE_IDEAS)
    if only_while_editable:
        await ideas.check_text_editable(session, access.idea)
    await service.check_free(session, access.idea.id)
    if getattr(request.state, "idempotency", None) is None:
        # returns its connection while the body arrives and is examined; with a key it holds the key's lock
        await session.close()
    file = await examination.examine(await request.body(), name)
    keys = await service.store_variants(storage, file)
    attachment = await service.add_attachment(
        session,
        access.idea.id,
        file,
        keys,
        actor_id=access.campaign.caller.user_id,
        only_while_editable=only_while_editable,
    )
    added = _as_read(settings, attachment)
    mark_author(access, [added], uploaded_by="by_author")
    await auth.add_names(session, [added], uploaded_by="uploaded_by_name")
    return added


@router.delete(f"{PATH}/{{attachment_id}}", status_code=204, operation_id="deleteAttachment")
@raises(IdeaFixed, errors.AttachmentNotFound)
async def delete(session: Session, access: Editor, attachment_id: UUID) -> Response:
    """Remove an attachment from the idea: its author while the text can be edited, managers always."""
    await service.delete_attachment(
        session,
        access.idea.id,
        attachment_id,
        actor_id=access.campaign.caller.user_id,
        only_while_editable=not access.may(Permission.MANAGE_IDEAS),
    )
    return Response(status_code=204)


@router.get(
    f"{PATH}/{{attachment_id}}/content",
    operation_id="getAttachmentContent",
    response_class=Response,
    responses=FILE_RESPONSES,
)
@raises(errors.AttachmentNotFound, StorageUnavailable)
async def content(
    session: Session, storage: ProvidedStorage, access: OnIdea, attachment_id: UUID, width: PictureWidth = None
) -> Response:
    """The content of an attachment. Browsers may show pictures, and only store other files."""
    found = await service.find_object(session, attachment_id, VARIANT_OF[width], idea_id=access.idea.id)
    return await _send(session, storage, found)


@router.get(
    "/attachments/{attachment_id}/content",
    operation_id="getLinkedContent",
    response_class=Response,
    responses=FILE_RESPONSES,
    dependencies=[PUBLIC],
)
@raises(errors.AttachmentNotFound, StorageUnavailable)
async def linked_content(
    session: Session,
    settings: ProvidedSettings,
    storage: ProvidedStorage,
    attachment_id: UUID,
    expires: Annotated[int, Query(description="of the link, in seconds since 1970")],
    signature: Annotated[str, Query(max_length=100, description="of the link")],
    width: PictureWidth = None,
) -> Response:
    """The content of an attachment, by the `url` of a response that had it. An expired link is not found."""
    rest_s = links.find_rest_s(settings, service.link_subject(attachment_id), expires, signature)
    if rest_s is None:
        raise service.not_found()
    found = await service.find_object(session, attachment_id, VARIANT_OF[width])
    return await _send(session, storage, found, {"Cache-Control": f"private, max-age={rest_s}"})


async def _send(
    session: AsyncSession,
    storage: StoragePort,
    found: tuple[Attachment, str],
    headers: dict[str, str] | None = None,
) -> Response:
    attachment, key = found
    await session.close()  # returns its connection
    data = await service.read_object(storage, key)
    return file_response(data, attachment.media_type, attachment.name, headers)


def _as_read(settings: Settings, attachment: Attachment) -> AttachmentRead:
    path = f"/attachments/{attachment.id}/content"
    url = links.signed_url(settings, path, service.link_subject(attachment.id))
    return AttachmentRead.model_validate({**vars(attachment), "url": url})
