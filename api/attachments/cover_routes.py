"""Routes of the cover pictures of campaigns."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api.attachments import covers, errors, links, service
from api.attachments.container import ProvidedExamination, ProvidedStorage
from api.attachments.files import BINARY, PICTURE_RESPONSES, VARIANT_OF, PictureWidth, file_response
from api.attachments.schemas import CoverRead
from api.auth.dependencies import AnyUser
from api.campaigns import service as campaigns
from api.campaigns.dependencies import Access, PublicCampaign, is_public, requires_in_campaign, visible_campaign
from api.campaigns.errors import CampaignNotActive, CampaignNotFound
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.representations import REVALIDATED
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import Rule, Scope, Visibility, enforces
from api.kernel.storage import StorageUnavailable
from api.kernel.web import Session
from api.kernel.web import router as new_router

PATH = "/campaigns/{campaign_id}/cover"
_PUBLIC_FOR_S = 300

router = new_router("", "campaigns")

Manager = Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_CAMPAIGN))]


@router.get(PATH, operation_id="getCampaignCover")
@raises(errors.CoverNotFound)
async def get(session: Session, settings: ProvidedSettings, campaign: PublicCampaign) -> CoverRead:
    """The cover picture of the campaign, with the link by which pages show it."""
    cover = await campaigns.find_cover(session, campaign.id)
    if cover is None:
        raise covers.not_found()
    return covers.as_read(settings, campaign, cover)


@router.put(
    PATH,
    operation_id="setCampaignCover",
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": BINARY}}},
)
@raises(
    CampaignNotActive, errors.UnsupportedFile, errors.UnreadablePicture, errors.PictureTooLarge, errors.UploadsBusy,
    StorageUnavailable,
)  # fmt: skip
@counts_as(RateClass.UPLOADS)
async def set_cover(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    storage: ProvidedStorage,
    examination: ProvidedExamination,
    access: Manager,
) -> CoverRead:
    """Make the picture that is the body of the request the cover of the campaign, in place of an earlier one.

    The type is found by the content: png, jpg, webp or gif. It is stored without metadata; of an animation, the first frame.
    """
    if getattr(request.state, "idempotency", None) is None:
        # returns its connection while the body arrives and is examined; with a key it holds the key's lock
        await session.close()
    file = await examination.examine(await request.body(), "cover")
    covers.check_picture(file)
    keys = await service.store_variants(storage, file)
    cover = await campaigns.set_cover(
        session, access.campaign, covers.as_columns(file, keys), actor_id=access.caller.user_id
    )
    return covers.as_read(settings, access.campaign, cover)


@router.delete(PATH, status_code=204, operation_id="removeCampaignCover")
@raises(CampaignNotActive, errors.CoverNotFound)
async def remove(session: Session, access: Manager) -> Response:
    """Remove the cover of the campaign."""
    if not await campaigns.remove_cover(session, access.campaign, actor_id=access.caller.user_id):
        raise covers.not_found()
    return Response(status_code=204)


@raises(CampaignNotFound, errors.CoverNotFound)
@enforces(Rule(Scope.PUBLIC, (Permission.VIEW_CAMPAIGN,), Visibility.NOT_FOUND))
async def _reader(
    session: Session,
    settings: ProvidedSettings,
    caller: AnyUser,
    campaign_id: UUID,
    expires: Annotated[int | None, Query(description="of a signed link, in seconds since 1970")] = None,
    signature: Annotated[str | None, Query(max_length=100, description="of a signed link")] = None,
) -> covers.VisibleCover:
    cover = await campaigns.find_cover(session, campaign_id)
    if cover is not None:
        rest_s = links.find_rest_s(settings, covers.link_subject(cover.id), expires, signature)
        if rest_s is not None:
            return covers.VisibleCover(cover, f"private, max-age={rest_s}")
    campaign = await visible_campaign(session, caller, campaign_id)
    if cover is None:
        raise covers.not_found()
    return covers.VisibleCover(cover, f"public, max-age={_PUBLIC_FOR_S}" if is_public(campaign) else REVALIDATED)


@router.get(
    f"{PATH}/content",
    operation_id="getCampaignCoverContent",
    response_class=Response,
    responses=PICTURE_RESPONSES,
)
@raises(StorageUnavailable)
async def content(
    session: Session,
    storage: ProvidedStorage,
    found: Annotated[covers.VisibleCover, Depends(_reader)],
    width: PictureWidth = None,
) -> Response:
    """The cover picture: of a public campaign for everyone, of another one for its readers and by a signed link."""
    cover = found.cover
    await session.close()  # returns its connection
    data = await service.read_object(storage, covers.find_key(cover, VARIANT_OF[width]))
    ending = cover.media_type.rpartition("/")[2]
    return file_response(data, cover.media_type, f"cover.{ending}", {"Cache-Control": found.cache_control})
