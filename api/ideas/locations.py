"""Where an idea is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from api.kernel.schemas import Schema

if TYPE_CHECKING:
    from api.ideas.models import Idea


class Location(Schema):
    """A place on the Earth, in degrees (WGS 84)."""

    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


def set_location(idea: Idea, location: Location | None) -> bool:
    """Set the location of an idea; returns whether it differed."""
    before = idea.latitude, idea.longitude
    idea.latitude, idea.longitude = (location.latitude, location.longitude) if location else (None, None)
    return before != (idea.latitude, idea.longitude)
