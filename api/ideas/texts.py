"""The text of an idea: its limits, and its rendered form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from nh3 import Cleaner

from api.ideas import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

TITLE_LENGTH_MIN, TITLE_LENGTH_MAX = 5, 200
DESCRIPTION_LENGTH_MIN, DESCRIPTION_LENGTH_MAX = 20, 20_000

# HTML in the text is shown as text, and a picture, which browsers would load from other sites, as a link
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")
)
_CLEANER = Cleaner(
    tags={
        "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
        "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
    },
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="nofollow noopener",
)  # fmt: skip


def check_complete(title: str, description: str) -> None:
    """Check that a text is long enough for a submitted idea. A draft may be shorter.

    Raises:
        IdeaIncomplete: the title or the description is too short; `errors` lists them.
    """
    found = list(_find_short(title, description))
    if found:
        detail = "; ".join(f"{each['field']}: {each['problem']}" for each in found)
        msg = f"{detail}."
        raise errors.IdeaIncomplete(msg, errors=found)


def _find_short(title: str, description: str) -> Iterator[dict[str, str]]:
    for field, text, length_min in (
        ("title", title, TITLE_LENGTH_MIN),
        ("description", description, DESCRIPTION_LENGTH_MIN),
    ):
        if len(text) < length_min:
            problem = f"has {len(text)} characters; a submitted idea needs at least {length_min}"
            yield {"in": "body", "field": field, "problem": problem}


def render_markdown(text: str) -> str:
    """Markdown as HTML that is safe inside a page: an allow-list of elements, no pictures, and links with nofollow and noopener."""
    return _CLEANER.clean(str(_MARKDOWN.render(text)))


def plain_text(text: str) -> str:
    """The words of a Markdown text on one line, without its marks; a link is its text."""
    return " ".join(" ".join(_words(_MARKDOWN.parse(text))).split())


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.children is not None:
            yield "".join(
                " " if child.type in {"softbreak", "hardbreak"} else child.content for child in token.children
            )
        elif token.type in {"fence", "code_block"}:
            yield token.content
