"""The language of mails about campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.mail import Language

if TYPE_CHECKING:
    from settings import Settings


def known_language(language: str | None, settings: Settings) -> Language:
    """The language, or that of the installation for one which only a later version knows."""
    return Language(language) if language in set(Language) else settings.mail.language
