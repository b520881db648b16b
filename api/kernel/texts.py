"""Validation of texts that users enter: Unicode normalisation, and no control characters."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

_ALLOWED_CONTROLS = "\n\t"


def normalise(text: str) -> str:
    r"""`text` in Unicode normalisation form C (NFC), with line ends as `\n`.

    Raises:
        ValueError: it contains a control character, a surrogate or a bidirectional override.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    for position, character in enumerate(text):
        category = unicodedata.category(character)
        is_override = "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
        if is_override or (category in {"Cc", "Cs"} and character not in _ALLOWED_CONTROLS):
            msg = f"character {position + 1} (U+{ord(character):04X}) is a control character"
            raise ValueError(msg)
    return text


def single_line(text: str) -> str:
    """A single line, normalised by :func:`normalise`.

    Raises:
        ValueError: as :func:`normalise`; or it contains a line break or a tab.
    """
    text = normalise(text)
    if any(control in text for control in _ALLOWED_CONTROLS):
        msg = "must be a single line"
        raise ValueError(msg)
    return text


Line = Annotated[str, AfterValidator(single_line)]
Prose = Annotated[str, AfterValidator(normalise)]
