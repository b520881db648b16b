"""Names, moments and lengths of time in the languages of mails."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime

from settings.mail import Language

NAME_LENGTH_MAX = 60
SPACE = "\u00a0"  # at which no line is broken
_LOCALES = {Language.ENGLISH: Locale("en", "GB"), Language.POLISH: Locale("pl")}
_MOMENTS = {
    Language.ENGLISH: f"{{day}} at{SPACE}{{time}} ({{zone}})",
    Language.POLISH: f"{{day}}{SPACE}r. o{SPACE}godz.{SPACE}{{time}} ({{zone}})",
}
# by plural form of CLDR; in Polish in the accusative, as after "przez"
_UNITS = {
    Language.ENGLISH: {
        "minutes": {"one": "minute", "other": "minutes"},
        "hours": {"one": "hour", "other": "hours"},
        "days": {"one": "day", "other": "days"},
    },
    Language.POLISH: {
        "minutes": {"one": "minutę", "few": "minuty", "many": "minut"},
        "hours": {"one": "godzinę", "few": "godziny", "many": "godzin"},
        "days": {"one": "dzień", "few": "dni", "many": "dni"},
    },
}
FOOTERS = {
    Language.ENGLISH: "Ideamint sent this message automatically. Replies to it are not read.",
    Language.POLISH: "Ta wiadomość została wysłana automatycznie przez Ideamint. Prosimy na nią nie odpowiadać.",
}

_SHORT_WORD = re.compile(r"(?<!\S)([aiouwzAIOUWZ])[ \n](?=\S)")
_JOINERS = "\u200c\u200d"
# what mail programs turn into a link, and what links consist of
_LINK = re.compile(r"[/\\@:]|\bwww\b|\w[.\u3002\uff0e\uff61]\w{2,}", re.IGNORECASE)
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_ISOLATE, _END = "\u2068", "\u2069"


def spaced(text: str, language: Language) -> str:
    """`text` with the spaces at which the language allows no line break: in Polish, after a word of one letter."""
    return _SHORT_WORD.sub(rf"\1{SPACE}", text) if language is Language.POLISH else text


def one_line(text: str) -> str:
    """`text` without control and format characters; line breaks and other white space are single spaces."""
    shown = (
        character
        if character in _JOINERS or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else " "
        for character in text
    )
    return " ".join("".join(shown).split())


def person(name: str) -> str:
    """A person's name as a mail shows it: one line of at most 60 characters; "" if it could be read as a link.

    Anyone can register with another person's address and a name of their choice, so the name must not carry a message.
    """
    name = one_line(name)
    if _LINK.search(name):
        return ""
    if len(name) > NAME_LENGTH_MAX:
        name = f"{name[: NAME_LENGTH_MAX - 1].rstrip(_JOINERS + ' ')}…"
    # the name does not change the direction of the words around it
    is_right_to_left = any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in name)
    return f"{_ISOLATE}{name}{_END}" if is_right_to_left else name


def moment(at: datetime, language: Language, time_zone: str) -> str:
    """A moment in a time zone of the IANA database: 26 November 2026 at 21:14 (UTC+01:00). `at` is aware."""
    assert at.tzinfo is not None, "a moment has a time zone"
    local = at.astimezone(ZoneInfo(time_zone))
    locale = _LOCALES[language]
    offset = format_datetime(local, "xxx", locale=locale)
    return _MOMENTS[language].format(
        day=format_date(local, "long", locale=locale).replace(" ", SPACE),
        time=format_datetime(local, "HH:mm", locale=locale),
        zone="UTC" if offset == "+00:00" else f"UTC{offset}",
    )


def length(number: int, unit: str, language: Language) -> str:
    """A length of time: 45 minutes, 1 hour, 24 hours, 2 days. `unit` is minutes, hours or days."""
    assert number > 0, "a length of time is positive"
    if unit == "minutes" and number % 60 == 0:
        number, unit = number // 60, "hours"
    if unit == "hours" and number > 24 and number % 24 == 0:
        number, unit = number // 24, "days"
    return f"{number}{SPACE}{_UNITS[language][unit][_LOCALES[language].plural_form(number)]}"
