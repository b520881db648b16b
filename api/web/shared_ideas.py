"""The page of a link to an idea.

It shows the idea to who may see it: everyone, if the idea is public, or a person who is logged in in this browser. For all others,
it is the same page as that of a link that does not exist, so that a link discloses nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from api.attachments import covers
from api.attachments import service as attachments
from api.attachments.container import ProvidedStorage
from api.attachments.files import VARIANT_OF, PictureWidth, file_response
from api.auth.dependencies import COOKIE, find_caller_of_cookie
from api.campaigns import service as campaigns
from api.campaigns.dependencies import Access, access_to, is_public
from api.campaigns.errors import CampaignNotFound
from api.ideas import service as ideas
from api.kernel.browser import Browser, path_of
from api.kernel.container import ProvidedSettings
from api.kernel.pages import PageRoute
from api.kernel.rules import PUBLIC
from api.kernel.web import Session
from api.sharing import service as sharing
from api.sharing.cards import feed_url, has_picture, make_card
from api.sharing.wording import WORDS, language_of, preferred_language, status_word
from settings import Settings

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC], route_class=PageRoute)
browser = Browser("api.web")

_PUBLIC_PICTURE_FOR = "public, max-age=300"


@dataclass(frozen=True)
class _Shown:
    """An idea that the reader may see, to which the link leads now; `is_public` if everyone may see it."""

    campaign: Campaign
    idea: dict[str, Any]
    is_public: bool


@router.get("/i/{token}", name="shared_idea_page")
async def show_shared_idea(request: Request, session: Session, settings: ProvidedSettings, token: str) -> Response:
    """The idea, with the data by which other programs show the link; or the way to log in."""
    language = preferred_language(request.headers.get("Accept-Language", ""))
    shown = await _find(request, session, settings, token)
    if shown is None:
        here = f"/i/{quote(token, safe='')}"
        return _finished(
            browser.render(
                request,
                settings,
                HTTPStatus.NOT_FOUND,
                "closed_link.html",
                has_forms=False,
                language=language,
                words=WORDS[language],
                log_in=f"{path_of(request, 'show_log_in')}?{urlencode({'next': here})}",
            )
        )
    campaign, idea = shown.campaign, shown.idea
    link = await sharing.find_link(session, idea["id"])
    if link is not None and link.token != token:
        # the idea of this link was merged; the redirect is not permanent, since a merge can be undone
        return _finished(RedirectResponse(path_of(request, "shared_idea_page", token=link.token), HTTPStatus.FOUND))
    has_one = await has_picture(session, campaign.id, idea["id"])
    card = make_card(settings, campaign, idea, token, has_public_picture=shown.is_public and has_one)
    await session.close()  # returns its connection
    html = await asyncio.to_thread(ideas.render_markdown, idea["description"])
    page = browser.render(
        request,
        settings,
        HTTPStatus.OK,
        "shared_idea.html",
        has_forms=False,
        has_pictures=has_one,
        language=language,
        words=WORDS[language],
        card=card,
        is_public=shown.is_public,
        content_language=language_of(campaign.locale),
        idea_in=WORDS[language]["idea_in"].format(campaign=campaign.title),
        status_text=status_word(language, idea["status"]),
        author=idea["author_name"],
        submitted_at=idea["submitted_at"],
        picture=f"{path_of(request, 'shared_idea_picture', token=token)}?width=1280" if has_one else None,
        description=Markup(html),  # noqa: S704 - rendered and cleaned
        tags=[*idea["category"], *idea["tags"]],
        feed=feed_url(settings, campaign.id),
    )
    return _finished(page)


@router.get("/i/{token}/picture", name="shared_idea_picture")
async def show_picture(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    storage: ProvidedStorage,
    token: str,
    width: PictureWidth = None,
) -> Response:
    """The first picture of the idea, or the cover of its campaign, for who may see the idea."""
    shown = await _find(request, session, settings, token)
    wanted = VARIANT_OF[width]
    if shown is None:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    attachment = await attachments.find_first_picture(session, shown.idea["id"])
    if attachment is not None:
        attachment, key = await attachments.find_object(session, attachment.id, wanted)
        name, media_type = attachment.name, attachment.media_type
    else:
        cover = await campaigns.find_cover(session, shown.campaign.id)
        if cover is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        key, media_type = covers.find_key(cover, wanted), cover.media_type
        name = f"cover.{media_type.rpartition('/')[2]}"
    await session.close()  # returns its connection
    kept = _PUBLIC_PICTURE_FOR if shown.is_public else "private, no-store"
    return file_response(await attachments.read_object(storage, key), media_type, name, {"Cache-Control": kept})


async def _find(request: Request, session: AsyncSession, settings: Settings, token: str) -> _Shown | None:
    link = await sharing.find_link_by_token(session, token)
    if link is None:
        return None
    campaign = await campaigns.get_campaign(session, link.campaign_id)
    idea_id = await ideas.find_merged_into(session, link.idea_id)
    if is_public(campaign):
        idea = await ideas.find_readable(session, campaign.id, idea_id, None)
        if idea is not None:
            return _Shown(campaign, idea, is_public=True)
    access = await _find_access(request, session, settings, campaign.id)
    idea = await ideas.find_readable(session, campaign.id, idea_id, access) if access else None
    return _Shown(campaign, idea, is_public=False) if idea else None


async def _find_access(request: Request, session: AsyncSession, settings: Settings, campaign_id: UUID) -> Access | None:
    """The access to a campaign of who is logged in in this browser, or None."""
    caller = await find_caller_of_cookie(session, settings, request.cookies.get(COOKIE))
    try:
        return await access_to(session, caller, campaign_id) if caller else None
    except CampaignNotFound:
        return None


def _finished(page: Response) -> Response:
    page.headers["Vary"] = "Accept-Language, Cookie"
    return page
