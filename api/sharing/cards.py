"""The data by which other programs show a link to an idea: Open Graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from api.attachments import service as attachments
from api.campaigns import service as campaigns
from api.ideas import service as ideas
from api.kernel.schemas import ResponseModel
from api.kernel.web import API_PREFIX

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from settings import Settings

SITE: Final = "Ideamint"
_LOCALES: Final = {"en": "en_GB", "pl": "pl_PL"}


class OpenGraph(ResponseModel):
    """The properties `og:...` of the page of an idea."""

    type: str = "article"
    site_name: str
    locale: str = Field(description="of the campaign, such as pl_PL")
    title: str
    description: str = Field(description="the beginning of the description, without marks of Markdown")
    url: str
    image: str | None = Field(
        description="the first picture of the idea, or the cover of the campaign; null if there is none, or it is not public"
    )


def page_url(settings: Settings, token: str) -> str:
    """The absolute URL of the page of a link."""
    return settings.addresses.public_url(f"/i/{token}")


def feed_url(settings: Settings, campaign_id: UUID) -> str:
    """The absolute URL of the feed of a campaign."""
    return settings.addresses.public_url(f"{API_PREFIX}/campaigns/{campaign_id}/feed.atom")


def make_card(
    settings: Settings, campaign: Campaign, idea: dict[str, Any], token: str, *, has_public_picture: bool
) -> OpenGraph:
    """The data of an idea, which has the fields of a list."""
    url = page_url(settings, token)
    return OpenGraph(
        site_name=SITE,
        locale=_LOCALES.get(campaign.locale, campaign.locale),
        title=idea["title"],
        description=ideas.excerpt(idea["description"]),
        url=url,
        image=f"{url}/picture?width=1280" if has_public_picture else None,
    )


async def has_picture(session: AsyncSession, campaign_id: UUID, idea_id: UUID) -> bool:
    """Whether the page of an idea has a picture: one of the idea, or the cover of the campaign."""
    if await attachments.find_first_picture(session, idea_id) is not None:
        return True
    return await campaigns.find_cover(session, campaign_id) is not None
