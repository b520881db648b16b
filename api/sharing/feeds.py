"""The Atom feed of a campaign (RFC 4287), with what a reader without a log-in sees.

Each entry has an id that never changes: an idea its own, a decision that of the change of the status, an answer that of the
comment. Only ideas name a person, their author. Answers and decisions are those of the campaign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from api.discussions import service as discussions
from api.ideas import service as ideas
from api.sharing.cards import SITE, feed_url, page_url
from api.sharing.service import find_tokens
from api.sharing.wording import WORDS, language_of, status_word

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from settings import Settings

FEED_TYPE: Final = "application/atom+xml"
ENTRIES_OF_KIND_MAX: Final = 30
_DECLARATION: Final = b'<?xml version="1.0" encoding="utf-8"?>\n'
_NAMESPACE: Final = "http://www.w3.org/2005/Atom"
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
# characters that no XML 1.0 document may have
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """One entry. `content` is HTML if `is_html`, and text otherwise."""

    id: UUID
    title: str
    published_at: datetime
    updated_at: datetime
    content: str
    is_html: bool = False
    author: str | None = None
    link: str | None = None
    terms: tuple[str, ...] = ()


async def read_feed(session: AsyncSession, settings: Settings, campaign: Campaign) -> bytes:
    """The feed of a campaign that its reader may see."""
    language = language_of(campaign.locale)
    words = WORDS[language]
    newest = await ideas.list_newest(session, campaign, limit=ENTRIES_OF_KIND_MAX)
    decisions = await ideas.list_decisions(session, campaign.id, limit=ENTRIES_OF_KIND_MAX)
    answers = await discussions.list_official_answers(session, campaign.id, limit=ENTRIES_OF_KIND_MAX)
    titles = await ideas.find_public_titles(session, [answer.idea_id for answer in answers])
    tokens = await find_tokens(
        session, [*(idea["id"] for idea, _ in newest), *(each.idea_id for each in decisions), *titles]
    )
    links = {idea_id: page_url(settings, token) for idea_id, token in tokens.items()}
    entries = [_of_idea(idea, updated_at, links) for idea, updated_at in newest]
    entries += [
        Entry(
            id=each.id,
            title=f"{words['decision'].format(status=status_word(language, each.status))}: {each.title}",
            published_at=each.decided_at,
            updated_at=each.decided_at,
            content=each.reason or each.title,
            link=links.get(each.idea_id),
        )
        for each in decisions
    ]
    entries += [
        Entry(
            id=answer.id,
            title=f"{words['answer']}: {titles[answer.idea_id]}",
            published_at=answer.official_at or answer.written_at,
            updated_at=max(answer.official_at or answer.written_at, answer.edited_at or answer.written_at),
            content=answer.text,
            link=links.get(answer.idea_id),
        )
        for answer in answers
        if answer.idea_id in titles
    ]
    return render_feed(
        entries,
        id=campaign.id,
        title=campaign.title,
        subtitle=words["feed_subtitle"],
        language=language,
        url=feed_url(settings, campaign.id),
        updated_at=campaign.activated_at or campaign.created_at,
    )


def _of_idea(idea: dict[str, Any], updated_at: datetime, links: dict[UUID, str]) -> Entry:
    return Entry(
        id=idea["id"],
        title=idea["title"],
        published_at=idea["submitted_at"],
        updated_at=updated_at,
        content=ideas.render_markdown(idea["description"]),
        is_html=True,
        author=idea["author_name"],
        link=links.get(idea["id"]),
        terms=(*idea["category"], *idea["tags"]),
    )


def render_feed(
    entries: Iterable[Entry],
    *,
    id: UUID,  # noqa: A002 - the element's name
    title: str,
    subtitle: str,
    language: str,
    url: str,
    updated_at: datetime,
) -> bytes:
    """An Atom document, its entries by the time of their last change, newest first.

    `updated_at` is the time of a feed without entries.
    """
    ordered = sorted(entries, key=lambda entry: (entry.updated_at, entry.id), reverse=True)
    feed = ET.Element("feed", {"xmlns": _NAMESPACE, _LANGUAGE: language})
    _add(feed, "id", f"urn:uuid:{id}")
    _add(feed, "title", title)
    _add(feed, "subtitle", subtitle)
    _add(feed, "updated", _moment(ordered[0].updated_at if ordered else updated_at))
    ET.SubElement(feed, "link", {"rel": "self", "type": FEED_TYPE, "href": url})
    _add(feed, "generator", SITE)
    _add(ET.SubElement(feed, "author"), "name", title)  # that of entries without a person
    for entry in ordered:
        _add_entry(feed, entry)
    return _DECLARATION + ET.tostring(feed, encoding="unicode").encode()


def _add_entry(feed: ET.Element, entry: Entry) -> None:
    element = ET.SubElement(feed, "entry")
    _add(element, "id", f"urn:uuid:{entry.id}")
    _add(element, "title", entry.title)
    _add(element, "published", _moment(entry.published_at))
    _add(element, "updated", _moment(entry.updated_at))
    if entry.author is not None:
        _add(ET.SubElement(element, "author"), "name", entry.author)
    if entry.link is not None:
        ET.SubElement(element, "link", {"rel": "alternate", "type": "text/html", "href": entry.link})
    for term in entry.terms:
        ET.SubElement(element, "category", {"term": _NOT_IN_XML.sub("", term)})
    _add(element, "content", entry.content, type="html" if entry.is_html else "text")


def _add(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, name, attributes).text = _NOT_IN_XML.sub("", text)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
