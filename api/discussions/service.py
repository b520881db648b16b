"""The interface of discussions for other domains."""

from __future__ import annotations

from api.discussions.comments import Kind, write_comment
from api.discussions.followers import follow_idea, get_following, unfollow_idea

__all__ = ["Kind", "follow_idea", "get_following", "unfollow_idea", "write_comment"]
