"""Templates of mails: one file for each mail and language is the source of the text and of the HTML.

A file `<language>/<mail>.txt` next to the module of the mail's class has the blocks `subject`, `greeting` and
`paragraphs`, and if needed `action` (a label, and in the next line the link), `other_action` and `notes`. It is plain
text; a blank line separates paragraphs. `docs/mail.md` describes how to add a mail or a language.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup, escape

from api.kernel import mail_wording
from api.kernel.mail import Mail
from settings.mail import Language

LAYOUT = "mail.html"
COLUMNS_MAX = 78
UTC_ZONE = "UTC"
_LINK = re.compile(r"https?://[^\s<>\"'`{}|\\^\x00-\x20\x7f]+")
_WORDS_OF_A_NAME = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, kw_only=True)
class MailContent:
    """The values of one kind of mail. A subclass's name in snake case is the name of its template.

    A field's name says what it is: `name` and `..._name` a person, `link` and `..._link` a URL, `at` a moment, and
    `..._minutes`, `..._hours` and `..._days` a length of time. Other fields are text.
    """

    @classmethod
    def template(cls) -> str:
        """The name of the template: `verify_address`."""
        return _WORDS_OF_A_NAME.sub("_", cls.__name__).lower()

    def shown(self, language: Language, time_zone: str) -> dict[str, str]:
        """The values as the template shows them."""
        return {each.name: _shown(each.name, getattr(self, each.name), language, time_zone) for each in fields(self)}


class Action(NamedTuple):
    """A link and its label."""

    label: str
    link: str


def render(
    content: MailContent,
    *,
    to: str,
    language: Language,
    time_zone: str = UTC_ZONE,
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Mail:
    """The mail with this content in the recipient's language; moments are shown in `time_zone`, such as Europe/Warsaw.

    Raises:
        ValueError: a link is not an HTTP URL.
        ZoneInfoNotFoundError: there is no such time zone.
    """
    template = environment(type(content).__module__).get_template(f"{language}/{content.template()}.txt")
    blocks = {
        name: mail_wording.spaced(block, language)
        for name, block in _blocks(template, content.shown(language, time_zone)).items()
    }
    parts: dict[str, Any] = {
        "subject": _joined(blocks["subject"]),
        "greeting": _joined(blocks["greeting"]),
        "paragraphs": _paragraphs(blocks["paragraphs"]),
        "actions": [_action(blocks[name]) for name in ("action", "other_action") if name in blocks],
        "notes": _paragraphs(blocks.get("notes", "")),
        "footer": mail_wording.spaced(mail_wording.FOOTERS[language], language),
    }
    html = environment("api.kernel", "templates").get_template(LAYOUT).render(language=language, **parts)
    return Mail(
        to=to,
        subject=parts["subject"],
        text=_as_text(parts),
        html=html,
        language=language,
        key=key,
        headers=headers or {},
    )


@cache
def environment(package: str, folder: str = "") -> Environment:
    """The templates in a folder of a package. An unknown variable is an error; HTML is escaped."""
    made = Environment(
        loader=PackageLoader(package, folder),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html"], ["txt"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["hyphens_kept"] = _hyphens_kept
    return made


def _hyphens_kept(text: str) -> Markup:
    """HTML of a text in which no line is broken within the word e-mail."""
    kept = Markup('<span style="white-space: nowrap;">e-mail</span>')
    return kept.join(escape(part) for part in text.split("e-mail"))


def _shown(name: str, value: object, language: Language, time_zone: str) -> str:
    kind = name.rpartition("_")[2]
    match value:
        case datetime():
            return mail_wording.moment(value, language, time_zone)
        case int():
            return mail_wording.length(value, kind, language)
        case str() if kind == "link":
            if not _LINK.fullmatch(value):
                msg = f"{name} is not an HTTP URL"  # without the value, which may contain a token
                raise ValueError(msg)
            return value
        case str() if kind == "name":
            return mail_wording.person(value)
        case str():
            return mail_wording.one_line(value)
    msg = f"{name} is a {type(value).__name__}, which no template can show"
    raise TypeError(msg)


def _blocks(template: Template, values: Mapping[str, str]) -> dict[str, str]:
    context = template.new_context(dict(values))
    return {name: "".join(block(context)) for name, block in template.blocks.items()}


def _paragraphs(text: str) -> list[str]:
    return [_joined(each) for each in re.split(r"\n[ \t]*\n", text) if each.strip()]


def _joined(text: str) -> str:
    """Text on one line. Spaces without line break are kept."""
    return re.sub(r"[ \t\n]+", " ", text).strip(" ")


def _action(text: str) -> Action:
    label, _, link = text.strip().rpartition("\n")
    return Action(_joined(label), link.strip())


def _as_text(parts: Mapping[str, Any]) -> str:
    actions = [f"{_wrapped(f'{action.label}:')}\n{action.link}" for action in parts["actions"]]
    before = [parts["greeting"], *parts["paragraphs"]]
    after = [*parts["notes"], parts["footer"]]
    return "\n\n".join([*map(_wrapped, before), *actions, *map(_wrapped, after)]) + "\n"


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, COLUMNS_MAX, break_on_hyphens=False)
