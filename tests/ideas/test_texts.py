"""The rendered form of descriptions, with hostile input."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ideas.texts import DESCRIPTION_LENGTH_MAX, render_markdown
from tests.factories.campaigns import make_world

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

ELEMENTS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=https://example.org></iframe>",
    "<style>@import 'https://example.org/x.css'</style>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox(1))",
    "[x](//example.org/path)",
    "[x](/account)",
    '[x](https://example.org "a\\" onmouseover=alert(1) b")',
    "[x](https://example.org/'onmouseover=alert(1))",
    '<https://example.org/"onclick=alert(1)>',
    "![alt](https://example.org/track.png)",
    "![alt](data:image/png;base64,iVBORw0KGgo=)",
    "[![alt](https://example.org/a.png)](https://example.org/b)",
    "![alt][1]\n\n[1]: https://example.org/track.png",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '``` "><script>alert(1)</script>\nx\n```',
    "<!-- --><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "| a |\n| - |\n| <b onclick=alert(1)>x</b> |",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "# <x onclick=alert(1)>",
]


class Elements(HTMLParser):
    """The elements and their attributes in a text of HTML, as a browser finds them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", {}))


def check_safe(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert tag in ELEMENTS
        if tag == "a":
            assert attributes.keys() <= {"href", "title", "rel"}
            assert attributes["rel"] == "nofollow noopener"
            assert (attributes.get("href") or "https://").startswith(("https://", "http://", "mailto:"))
        else:
            assert attributes.keys() <= ({"start"} if tag == "ol" else set())


class TestRenderMarkdown:
    def test_renders_what_people_write(self) -> None:
        text = (
            "## Why\n\n- *safe* **and** ~~cheap~~\n- [a plan](https://example.org)\n\n| a | b |\n| - | - |\n| 1 | `2` |"
        )
        html = render_markdown(text)
        for part in (
            "<h2>Why</h2>",
            "<em>safe</em>",
            "<strong>and</strong>",
            "<s>cheap</s>",
            "<td><code>2</code></td>",
        ):
            assert part in html
        assert '<a href="https://example.org" rel="nofollow noopener">a plan</a>' in html

    @pytest.mark.parametrize("text", HOSTILE)
    def test_makes_hostile_text_harmless(self, text: str) -> None:
        check_safe(render_markdown(text))
        check_safe(render_markdown(f"Before {text} after"))

    @given(st.lists(st.sampled_from([*HOSTILE, "\n", "> ", "- ", "`", "**", "[", "](", "<", ">", "&"]), max_size=8))
    def test_makes_mixtures_harmless(self, parts: list[str]) -> None:
        check_safe(render_markdown("".join(parts)))

    def test_shows_a_picture_as_a_link(self) -> None:
        html = render_markdown("![a plan](https://example.org/plan.png)")
        assert "<img" not in html
        assert '<a href="https://example.org/plan.png" rel="nofollow noopener">a plan</a>' in html

    @pytest.mark.parametrize("text", ["[", "![", "> ", "- ", "*a ", "**a_b", "`a", "[[]", "<", "|a", "~~a"])
    def test_ends_for_repeated_marks(self, text: str) -> None:
        repeated = (text * DESCRIPTION_LENGTH_MAX)[:DESCRIPTION_LENGTH_MAX]
        html = render_markdown(repeated)
        check_safe(html)
        assert len(html) < 10 * DESCRIPTION_LENGTH_MAX


async def test_the_text_is_stored_as_written_and_rendered_for_one_idea(
    application: FastAPI, client: AsyncClient
) -> None:
    world = await make_world(application, client)
    description = (
        "**Racks** by the door.\n\n<script>alert(1)</script> ![x](https://example.org/x.png)\n\n" + "word " * 600
    )
    body = {"title": "Racks by the door", "description": description.strip()}
    made = (await world.call(world.members[0], "POST", "/campaigns/{id}/ideas", json=body)).json()
    read = (await world.call(world.members[1], "GET", f"/ideas/{made['id']}")).json()
    assert read["description"] == description.strip()
    assert read["description_html"].startswith("<p><strong>Racks</strong> by the door.</p>")
    check_safe(read["description_html"])
    (listed,) = (await world.call(world.members[1], "GET", "/campaigns/{id}/ideas")).json()["items"]
    assert "description_html" not in listed
