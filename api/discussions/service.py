"""The interface of discussions for other domains."""

from __future__ import annotations

from api.discussions.comments import Kind, write_comment
from api.discussions.followers import follow_idea, get_following, unfollow_idea
from api.discussions.queries import list_official_answers

__all__ = ["Kind", "follow_idea", "get_following", "list_official_answers", "unfollow_idea", "write_comment"]
