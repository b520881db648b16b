"""The mails of the domain auth, and the platform's own, in every language."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError
from jinja2.meta import find_undeclared_variables

from api.auth.account_mails import Prepared, Purpose
from api.auth.mail_contents import write_mail
from api.auth.mails import EXAMPLES as OF_AUTH
from api.auth.mails import AccountDeactivated, Invited, VerifyAddress
from api.auth.models import User
from api.campaigns.invitations.mails import EXAMPLES as OF_INVITATIONS
from api.campaigns.join_requests.mails import EXAMPLES as OF_REQUESTS
from api.kernel.ids import uuid7
from api.kernel.mail import as_envelope
from api.kernel.mail_templates import COLUMNS_MAX, MailContent, environment, render
from api.kernel.mails import EXAMPLES as OF_KERNEL
from settings import Settings
from settings.mail import Language, Sender

EXAMPLES = (*OF_AUTH, *OF_INVITATIONS, *OF_REQUESTS, *OF_KERNEL)
NAMES = [example.template() for example in EXAMPLES]
EVERY_MAIL = pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
EVERY_LANGUAGE = pytest.mark.parametrize("language", Language)
LINK = "https://ideas.example.org/confirm?token=q7ZkP0x-2mVt_8sYc4LwEo9RbN1uGhJdpN3v8sYc4LwEo9RbN1uGhJd&to=%2Fcampaigns"
HOSTILE = [
    "Anna\r\nBcc: eve@example.org\r\n\r\n<h1>You won</h1>",
    'Anna" onmouseover="alert(1)',
    "<script>alert(1)<",
    "{{ link }}{% raw %}",
    "\u202etseuQ annA",
    "x" * 500,
    "👩‍🚀 Zażółć",
    "שרה",
    "Your prize waits on https://evil.example",
]


def with_links(example: MailContent) -> tuple[MailContent, list[str]]:
    """The example with a link that needs escaping in HTML, different for each field."""
    names = [each.name for each in dataclasses.fields(example) if each.name.endswith("link")]
    links = {name: f"{LINK}&n={name}" for name in names}
    changes: dict[str, Any] = dict(links)
    return dataclasses.replace(example, **changes), list(links.values())


def source(example: MailContent, language: Language) -> str:
    module = import_module(type(example).__module__)
    assert module.__file__ is not None
    return (Path(module.__file__).parent / language / f"{example.template()}.txt").read_text()


class _Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


class TestTemplates:
    @EVERY_MAIL
    def test_use_every_value_in_every_language_and_no_other(self, example: MailContent) -> None:
        fields = {each.name for each in dataclasses.fields(example)}
        for language in Language:
            parsed = environment(type(example).__module__).parse(source(example, language))
            assert find_undeclared_variables(parsed) == fields, language

    @EVERY_MAIL
    def test_have_the_same_blocks_in_every_language(self, example: MailContent) -> None:
        blocks = {tuple(re.findall(r"{% block (\w+) %}", source(example, language))) for language in Language}
        assert len(blocks) == 1
        known = {"subject", "greeting", "paragraphs", "action", "other_action", "notes"}
        assert {"subject", "greeting", "paragraphs"} <= set(*blocks) <= known

    def test_exist_for_no_other_mail(self) -> None:
        for module in {type(example).__module__ for example in EXAMPLES}:
            folder = Path(str(import_module(module).__file__)).parent
            files = {str(path.relative_to(folder)) for path in folder.rglob("*.txt")}
            names = [example.template() for example in EXAMPLES if type(example).__module__ == module]
            assert files == {f"{language}/{name}.txt" for language in Language for name in names}

    def test_every_class_has_an_example(self) -> None:
        with_example = {type(example) for example in EXAMPLES}
        assert [each for each in MailContent.__subclasses__() if each not in {*with_example, Strange}] == []


class TestRender:
    @EVERY_MAIL
    @EVERY_LANGUAGE
    def test_text_and_html_have_each_link_once(self, example: MailContent, language: Language) -> None:
        content, links = with_links(example)
        mail = render(content, to="anna@example.org", language=language)
        assert [line for line in mail.text.splitlines() if "http" in line] == links
        assert [attributes["href"] for tag, attributes in _Elements(mail.html).found if tag == "a"] == links
        assert [unescape(mail.html).count(link) for link in links] == [1] * len(links)

    @EVERY_MAIL
    @EVERY_LANGUAGE
    def test_is_complete_and_narrow(self, example: MailContent, language: Language) -> None:
        mail = render(example, to="anna@example.org", language=language, time_zone="Europe/Warsaw")
        lines = [line for line in mail.text.splitlines() if not line.startswith("https://")]
        assert max(map(len, lines)) <= COLUMNS_MAX
        assert "\n\n\n" not in mail.text
        assert 10 < len(mail.subject) < 60
        for value in example.shown(language, "Europe/Warsaw").values():
            assert value.split()[0] in mail.text
            assert value.split()[0] in unescape(mail.html)
        assert f'<html lang="{language}">' in mail.html
        assert "{{" not in mail.text + mail.html
        assert not {tag for tag, _ in _Elements(mail.html).found} & {"img", "script", "link", "iframe"}

    @EVERY_LANGUAGE
    @pytest.mark.parametrize("name", HOSTILE)
    @pytest.mark.parametrize("kind", [VerifyAddress, Invited])
    def test_a_hostile_name_is_only_a_name(self, kind: type[MailContent], name: str, language: Language) -> None:
        example = next(each for each in EXAMPLES if isinstance(each, kind))
        field = "name" if kind is VerifyAddress else "inviter_name"
        changes: dict[str, Any] = {field: name}
        usual = render(dataclasses.replace(example, **(changes | {field: "Anna"})), to="a@b.org", language=language)
        mail = render(dataclasses.replace(example, **changes), to="a@b.org", language=language)
        assert mail.subject == usual.subject
        assert mail.text.count("https://") == 1
        assert max(len(line) for line in mail.text.splitlines() if "https://" not in line) <= COLUMNS_MAX
        assert [tag for tag, _ in _Elements(mail.html).found] == [tag for tag, _ in _Elements(usual.html).found]
        assert not re.search(r"evil\.example|\nBcc|\u202e", mail.text + mail.html)
        assert as_envelope(mail, Sender("Ideamint", "i@example.org")).content.count(b"\r\nBcc") == 0

    def test_a_greeting_without_a_name_is_a_sentence(self) -> None:
        example = next(each for each in EXAMPLES if isinstance(each, VerifyAddress))
        content = dataclasses.replace(example, name="https://evil.example")
        assert render(content, to="a@b.org", language=Language.ENGLISH).text.startswith("Hello,\n")
        assert render(content, to="a@b.org", language=Language.POLISH).text.startswith("Dzień dobry!\n")

    @pytest.mark.parametrize(
        "link",
        [
            "javascript:alert(1)",
            "/confirm",
            f"{LINK}\nhttps://evil.example",
            f'{LINK}" onclick="',
            f"{LINK}>",
            " " + LINK,
        ],
    )
    def test_a_link_is_an_http_url_and_is_not_repeated_in_the_error(self, link: str) -> None:
        with pytest.raises(ValueError, match=r"^link is not an HTTP URL$"):
            render(VerifyAddress(name="Anna", link=link, valid_hours=24), to="a@b.org", language=Language.ENGLISH)

    def test_a_variable_that_is_not_given_is_an_error(self) -> None:
        template = environment("api.auth.mails").from_string("{% block subject %}{{ nmae }}{% endblock %}")
        with pytest.raises(UndefinedError, match="nmae"):
            template.render()

    def test_a_value_of_another_type_is_an_error(self) -> None:
        with pytest.raises(TypeError, match="share is a float"):
            Strange(share=0.5).shown(Language.ENGLISH, "UTC")

    def test_key_and_headers_are_those_of_the_mail(self) -> None:
        example = next(each for each in EXAMPLES if isinstance(each, AccountDeactivated))
        mail = render(example, to="a@b.org", language=Language.POLISH, key="job 7", headers={"X-Kind": "account"})
        assert (mail.to, mail.key, mail.headers, mail.language) == ("a@b.org", "job 7", {"X-Kind": "account"}, "pl")


class TestWriteMail:
    @pytest.mark.parametrize(("stored", "language"), [("en", "en"), (None, "pl"), ("de", "pl")])
    def test_is_in_the_language_of_the_installation_if_that_of_the_user_is_not_known(
        self, stored: str | None, language: str
    ) -> None:
        user = User(display_name="Anna", email="anna@example.org", language=stored)
        prepared = Prepared(
            id=uuid7(),
            purpose=Purpose.ACCOUNT_DEACTIVATED,
            user=user,
            to="anna@example.org",
            created_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
            secret=None,
        )
        assert write_mail(Settings.of(mail_language="pl"), prepared).language == language


@dataclass(frozen=True, kw_only=True)
class Strange(MailContent):
    share: float
