"""The words of pages and feeds of shared ideas, in the languages of the product."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

from api.ideas.steps import Status
from api.kernel.locales import Language

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES: tuple[Language, ...] = get_args(Language)

STATUSES: Mapping[Language, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            Status.DRAFT: "draft",
            Status.PENDING: "waiting for approval",
            Status.COMPETING: "open for coins",
            Status.ACCEPTED: "accepted",
            Status.IN_PROGRESS: "in progress",
            Status.COMPLETE: "complete",
            Status.REJECTED: "rejected",
            Status.WITHDRAWN: "withdrawn",
            Status.STOPPED: "stopped",
            Status.NOT_SELECTED: "not selected",
            Status.OUTCOME_UNKNOWN: "outcome not known",
            Status.MERGED: "merged into another idea",
        },
        "pl": {
            Status.DRAFT: "szkic",
            Status.PENDING: "czeka na zatwierdzenie",
            Status.COMPETING: "zbiera monety",
            Status.ACCEPTED: "przyjęty",
            Status.IN_PROGRESS: "w realizacji",
            Status.COMPLETE: "zrealizowany",
            Status.REJECTED: "odrzucony",
            Status.WITHDRAWN: "wycofany",
            Status.STOPPED: "zatrzymany",
            Status.NOT_SELECTED: "niewybrany",
            Status.OUTCOME_UNKNOWN: "wynik nieznany",
            Status.MERGED: "połączony z innym pomysłem",
        },
    }
)

WORDS: Mapping[Language, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "idea_in": "An idea in the campaign “{campaign}”",
            "by": "by",
            "status": "Status",
            "tags": "Tags",
            "category": "Category",
            "feed": "News of this campaign (Atom)",
            "log_in": "Log in",
            "closed_title": "Log in to see this page",
            "closed_text": "This link is for people who are logged in and take part in its campaign, or it does not exist "
            "any more.",
            "decision": "Decision ({status})",
            "answer": "Official answer",
            "feed_subtitle": "Newest ideas, decisions and official answers",
        },
        "pl": {
            "idea_in": "Pomysł w kampanii „{campaign}”",
            "by": "autor:",
            "status": "Status",
            "tags": "Tagi",
            "category": "Kategoria",
            "feed": "Nowości tej kampanii (Atom)",
            "log_in": "Zaloguj się",
            "closed_title": "Zaloguj się, aby zobaczyć tę stronę",
            "closed_text": "Ten link jest dla zalogowanych osób, które biorą udział w jego kampanii, albo już nie istnieje.",
            "decision": "Decyzja ({status})",
            "answer": "Oficjalna odpowiedź",
            "feed_subtitle": "Najnowsze pomysły, decyzje i oficjalne odpowiedzi",
        },
    }
)


def language_of(locale: str) -> Language:
    """The language of a campaign, by its locale; English if the product has no words in it."""
    return next((each for each in LANGUAGES if locale.lower().partition("-")[0] == each), "en")


def preferred_language(accept_language: str) -> Language:
    """The language that a browser prefers most among those of the product (RFC 9110, section 12.5.4)."""
    best: tuple[float, Language] = (0.0, "en")
    for part in accept_language.lower().split(",")[:20]:
        name, *parameters = (each.strip() for each in part.split(";"))
        language = next((each for each in LANGUAGES if name.partition("-")[0] == each), None)
        weight = next((each.removeprefix("q=") for each in parameters if each.startswith("q=")), "1")
        try:
            found = float(weight)
        except ValueError:
            continue
        if language is not None and found > best[0]:
            best = found, language
    return best[1]


def status_word(language: Language, status: str) -> str:
    """The word for a status; a status that only a later version knows is its own word."""
    return STATUSES[language].get(status, status)
