"""The author of an idea as a reader sees them: the only place that decides who sees the author of an anonymous idea.

Its author sees it, and who approves ideas of the campaign: moderators, managers and administrators. For all others the author
has no id and no name, and what they did on this idea as its author is marked with `by_author`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.ideas import errors
from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.campaigns.dependencies import Access
    from api.campaigns.models import Campaign
    from api.ideas.dependencies import IdeaAccess
    from api.ideas.models import Idea

# of the table app.ideas AS i, for the reader %(user_id)s; %(sees_authors)s is that of `sees_authors`
SHOWN_AUTHOR = "CASE WHEN NOT i.is_anonymous OR %(sees_authors)s OR i.author_id = %(user_id)s THEN i.author_id END"


def sees_authors(access: Access) -> bool:
    """Whether the reader sees the authors of anonymous ideas of the campaign."""
    return access.may(Permission.APPROVE_IDEAS)


def author_of(access: Access, idea: Idea) -> UUID | None:
    """The id of the author for this reader; None if the idea has none or the reader may not know them."""
    if idea.is_anonymous and idea.author_id != access.caller.user_id and not sees_authors(access):
        return None
    return idea.author_id


def mark_author(access: IdeaAccess, rows: Sequence[object], **fields: str) -> None:
    """Mark what the author did in response models of the idea, and remove their id if the reader may not know them.

    `fields` are those with the id of a person, and for each the one that is true if that person is the author. Call it before
    names are added.
    """
    author_id = access.idea.author_id
    is_shown = author_of(access.campaign, access.idea) is not None
    for row in rows:
        for id_field, flag_field in fields.items():
            is_author = author_id is not None and getattr(row, id_field) == author_id
            setattr(row, flag_field, is_author)
            if is_author and not is_shown:
                setattr(row, id_field, None)


def check_anonymity(campaign: Campaign, *, is_anonymous: bool) -> None:
    """Check that an idea of the campaign may have this anonymity.

    Raises:
        AnonymityRefused: it would be anonymous, and the campaign does not allow it.
    """
    if is_anonymous and not campaign.anonymous_ideas:
        msg = "The campaign does not allow anonymous ideas; submit the idea with is_anonymous false."
        raise errors.AnonymityRefused(msg)
