"""The payloads of events of drafts, tags and the approval of ideas; :mod:`api.events.payloads` has the rules."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.events.kinds import EventKind
from api.events.payloads import Change, IdeaState, Payload


class IdeaDrafted(Payload):
    """The idea that was rejected or withdrawn, if its author begins to submit it again."""

    kind = EventKind.IDEA_DRAFTED
    resubmitted_from_id: UUID | None = None


class IdeaDraftEdited(Payload):
    """The names of the changed fields."""

    kind = EventKind.IDEA_DRAFT_EDITED
    changed: tuple[str, ...]


class IdeaDraftDeleted(Payload):
    """No data except the id of the idea."""

    kind = EventKind.IDEA_DRAFT_DELETED


class IdeaChangesRequested(Payload):
    """The request; its text is stored with the idea."""

    kind = EventKind.IDEA_CHANGES_REQUESTED
    change_request_id: UUID


class TagCreated(Payload):
    """The tag, and the number of ideas that had a free tag with its name."""

    kind = EventKind.TAG_CREATED
    tag_id: UUID
    parent_id: UUID | None = None
    ideas: int


class TagEdited(Payload):
    """The tag, and the names of its changed fields."""

    kind = EventKind.TAG_EDITED
    tag_id: UUID
    changed: tuple[str, ...]


class TagsMerged(Payload):
    """The tag that no longer exists, the one that its ideas have now, and their number."""

    kind = EventKind.TAGS_MERGED
    tag_id: UUID
    into_tag_id: UUID
    ideas: int


class TagDeleted(Payload):
    """The tag, which no idea had."""

    kind = EventKind.TAG_DELETED
    tag_id: UUID


class IdeaMarkedMaterial(Payload):
    """The version, and until when backers may take their coins back; null if the idea had no coins."""

    kind = EventKind.IDEA_MARKED_MATERIAL
    idea_version: int
    grace_until: datetime | None = None


class FreeTagConverted(Payload):
    """The tag that ideas have now in place of a free one, and their number."""

    kind = EventKind.FREE_TAG_CONVERTED
    tag_id: UUID
    ideas: int


class IdeasMerged(Change[IdeaState]):
    """The merge, the idea that the coins moved to, how many of them returned to wallets, and whether a reason was given."""

    kind = EventKind.IDEAS_MERGED
    merge_id: UUID
    target_id: UUID
    returned_coins: int
    reason_given: bool


class MergeUndone(Change[IdeaState]):
    """The merge, and the idea that the coins moved back from; the reason is stored with the merge."""

    kind = EventKind.MERGE_UNDONE
    merge_id: UUID
    target_id: UUID
    reason_given: bool


class RejectionReasonsChanged(Payload):
    """The codes of the reasons in their order."""

    kind = EventKind.REJECTION_REASONS_CHANGED
    codes: tuple[str, ...]
