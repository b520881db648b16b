"""Routes of the attachments of ideas."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api.attachments import errors, service
from api.attachments.container import ProvidedExamination, ProvidedStorage
from api.attachments.formats import NAME_LENGTH_MAX, PICTURES, Format
from api.attachments.pictures import WIDTHS, Variant
from api.attachments.schemas import AttachmentRead
from api.auth import service as auth
from api.ideas import service as ideas
from api.ideas.authors import mark_author
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.ideas.errors import IdeaFixed
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.storage import StorageUnavailable
from api.kernel.texts import Line
from api.kernel.web import Session
from api.kernel.web import router as new_router

PATH = "/ideas/{idea_id}/attachments"
# a file that a browser opens in spite of its headers may load nothing and run nothing
_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PICTURE_TYPES = frozenset(each.media_type for each in PICTURES)

router = new_router("", "attachments")

OnIdea = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))]
Editor = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.EDIT_IDEA, Permission.MANAGE_IDEAS))]


class Width(StrEnum):
    """A width in pixels of a picture."""

    SMALL = str(WIDTHS[Variant.SMALL])
    LARGE = str(WIDTHS[Variant.LARGE])


_VARIANT_OF = {None: Variant.ORIGINAL, Width.SMALL: Variant.SMALL, Width.LARGE: Variant.LARGE}


@router.get(PATH, operation_id="listAttachments")
async def list_all(session: Session, access: OnIdea) -> list[AttachmentRead]:
    """The pictures and files of the idea, at most ten, in the order of their upload."""
    found = [AttachmentRead.model_validate(row) for row in await service.list_attachments(session, access.idea.id)]
    mark_author(access, found, uploaded_by="by_author")
    await auth.add_names(session, found, uploaded_by="uploaded_by_name")
    return found


@router.post(
    PATH,
    status_code=201,
    operation_id="addAttachment",
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}},
)
@raises(
    IdeaFixed, errors.TooManyAttachments, errors.UnsupportedFile, errors.UnreadablePicture, errors.PictureTooLarge,
    errors.UploadsBusy, StorageUnavailable,
)  # fmt: skip
@counts_as(RateClass.UPLOADS)
async def add(
    request: Request,
    session: Session,
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
    added = AttachmentRead.model_validate(attachment)
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
    responses={200: {"description": "The file", "content": {each.media_type: _BINARY for each in Format}}},
)
@raises(errors.AttachmentNotFound, StorageUnavailable)
async def content(
    session: Session,
    storage: ProvidedStorage,
    access: OnIdea,
    attachment_id: UUID,
    width: Annotated[
        Width | None, Query(description="a smaller size of a picture; the picture itself if it is not wider")
    ] = None,
) -> Response:
    """The content of an attachment. Browsers may show pictures, and only store other files."""
    attachment, key = await service.find_object(session, access.idea.id, attachment_id, _VARIANT_OF[width])
    await session.close()  # returns its connection
    data = await service.read_object(storage, key)
    disposition = "inline" if attachment.media_type in _PICTURE_TYPES else "attachment"
    return Response(
        data,
        headers={
            "Content-Type": attachment.media_type,
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(attachment.name, safe='')}",
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
        },
    )
