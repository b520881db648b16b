"""The content of cover pictures of campaigns: examined and stored as that of attachments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.attachments import errors, links
from api.attachments.formats import PICTURES
from api.attachments.pictures import Variant
from api.attachments.schemas import CoverRead
from api.attachments.service import best_key
from api.campaigns.dependencies import is_public

if TYPE_CHECKING:
    from uuid import UUID

    from api.attachments.examination import Examined
    from api.campaigns.models import Campaign, CampaignCover
    from settings import Settings

_COLUMN_OF = {Variant.ORIGINAL: "original_key", Variant.LARGE: "large_key", Variant.SMALL: "small_key"}


@dataclass(frozen=True)
class VisibleCover:
    """A cover that the caller may see, and the header that says for how long it may be kept."""

    cover: CampaignCover
    cache_control: str


def check_picture(file: Examined) -> None:
    """Refuse a file that is no picture.

    Raises:
        UnsupportedFile: it is none.
    """
    if file.picture is None:
        accepted = sorted(each.value for each in PICTURES)
        msg = f"A cover is a picture; possible are {', '.join(accepted)}, recognised by their content."
        raise errors.UnsupportedFile(msg, accepted=accepted)


def as_columns(file: Examined, keys: dict[Variant, str]) -> dict[str, Any]:
    """The columns of a cover with this stored picture."""
    assert file.picture is not None, "check_picture refuses other files"
    return {
        "media_type": file.format.media_type,
        "size_bytes": file.size_bytes,
        "width": file.picture.width,
        "height": file.picture.height,
        "sha256": file.sha256,
        **{_COLUMN_OF[variant]: key for variant, key in keys.items()},
    }


def find_key(cover: CampaignCover, wanted: Variant) -> str:
    """The key of the wanted size of a cover or, if the picture is smaller, of the next larger one."""
    stored = {variant: getattr(cover, column) for variant, column in _COLUMN_OF.items()}
    key = best_key({variant: key for variant, key in stored.items() if key is not None}, wanted)
    assert key is not None, "every cover has an original"
    return key


def as_read(settings: Settings, campaign: Campaign, cover: CampaignCover) -> CoverRead:
    """The response for a cover. The link to that of a public campaign needs no signature."""
    path = content_path(campaign.id)
    url = (
        links.url_of(settings, path)
        if is_public(campaign)
        else links.signed_url(settings, path, link_subject(cover.id))
    )
    return CoverRead.model_validate({**vars(cover), "url": url})


def content_path(campaign_id: UUID) -> str:
    """The path of the content of a campaign's cover below the API's prefix."""
    return f"/campaigns/{campaign_id}/cover/content"


def link_subject(cover_id: UUID) -> str:
    """What a signed link to a cover names."""
    return f"cover/{cover_id}"


def not_found() -> errors.CoverNotFound:
    """The error for a campaign without a cover."""
    msg = "The campaign has no cover picture."
    return errors.CoverNotFound(msg)
