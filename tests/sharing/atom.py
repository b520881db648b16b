"""A strict reader of Atom documents: the rules of RFC 4287 that a feed of ours can break."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

ATOM = "{http://www.w3.org/2005/Atom}"
# RFC 3339, with the upper-case letters that RFC 4287 requires
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_URN = re.compile(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_FEED = {
    "author", "category", "contributor", "generator", "icon", "id", "link", "logo", "rights", "subtitle", "title",
    "updated", "entry",
}  # fmt: skip
_OF_ENTRY = {
    "author", "category", "content", "contributor", "id", "link", "published", "rights", "source", "summary", "title",
    "updated",
}  # fmt: skip


@dataclass(frozen=True)
class ReadEntry:
    """An entry as a reader understands it; without a person of its own, its author is that of the feed."""

    id: str
    title: str
    updated: str
    published: str
    author: str
    content: str
    content_type: str
    link: str | None
    terms: tuple[str, ...]


@dataclass(frozen=True)
class ReadFeed:
    """A feed as a reader understands it."""

    id: str
    title: str
    updated: str
    self_link: str
    language: str
    entries: list[ReadEntry]


def read(document: bytes) -> ReadFeed:
    """Read a feed, and assert that it is valid."""
    root = ET.fromstring(document)  # noqa: S314 - our own
    assert root.tag == f"{ATOM}feed"
    _check_children(root, _OF_FEED, required=("id", "title", "updated"))
    feed_author = _author(root)
    [self_link] = [link for link in root.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert self_link.get("type") == "application/atom+xml"
    entries = [_read_entry(entry, feed_author) for entry in root.findall(f"{ATOM}entry")]
    assert len({(entry.id, entry.updated) for entry in entries}) == len(entries), "no two entries are the same"
    assert len({entry.id for entry in entries}) == len(entries)
    feed = ReadFeed(
        id=_urn(root),
        title=_text(root, "title"),
        updated=_moment(root, "updated"),
        self_link=_absolute(self_link.get("href")),
        language=root.get("{http://www.w3.org/XML/1998/namespace}lang") or "",
        entries=entries,
    )
    assert feed_author or all(entry.author for entry in entries)
    assert all(entry.updated <= feed.updated for entry in entries)
    return feed


def _read_entry(element: ET.Element, feed_author: str | None) -> ReadEntry:
    _check_children(element, _OF_ENTRY, required=("id", "title", "updated"))
    author = _author(element) or feed_author
    assert author, "an entry, or its feed, has an author"
    alternates = [link for link in element.findall(f"{ATOM}link") if link.get("rel", "alternate") == "alternate"]
    assert len(alternates) <= 1
    contents = element.findall(f"{ATOM}content")
    assert len(contents) == 1, "an entry without content needs a link"
    kind = contents[0].get("type", "text")
    assert kind in {"text", "html"}
    assert not list(contents[0]), "text and escaped HTML have no elements"
    return ReadEntry(
        id=_urn(element),
        title=_text(element, "title"),
        updated=_moment(element, "updated"),
        published=_moment(element, "published"),
        author=author,
        content=contents[0].text or "",
        content_type=kind,
        link=_absolute(alternates[0].get("href")) if alternates else None,
        terms=tuple(category.attrib["term"] for category in element.findall(f"{ATOM}category")),
    )


def _check_children(element: ET.Element, allowed: set[str], required: tuple[str, ...]) -> None:
    names = [child.tag.removeprefix(ATOM) for child in element]
    assert set(names) <= allowed, names
    for name in required:
        assert names.count(name) == 1, f"{element.tag} has one {name}"


def _author(element: ET.Element) -> str | None:
    authors = element.findall(f"{ATOM}author")
    assert len(authors) <= 1
    return _text(authors[0], "name") if authors else None


def _text(element: ET.Element, name: str) -> str:
    found = element.findtext(f"{ATOM}{name}")
    assert found is not None
    assert found.strip(), f"{name} is not empty"
    return found


def _urn(element: ET.Element) -> str:
    found = _text(element, "id")
    assert _URN.fullmatch(found), found
    return found


def _moment(element: ET.Element, name: str) -> str:
    found = _text(element, name)
    assert _MOMENT.fullmatch(found), found
    return found


def _absolute(url: str | None) -> str:
    assert url is not None
    assert urlsplit(url).scheme in {"http", "https"}
    return url
