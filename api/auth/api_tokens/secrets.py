"""The text of API tokens: a prefix that scanners for leaked secrets recognise, 256 random bits, and a checksum.

`imt_`, 43 characters of base 62, and 6 that are the CRC-32 of these 43. A scanner finds tokens by the expression
:data:`PATTERN` and discards coincidences by the checksum, without a request to the installation.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "imt_"
PATTERN: Final = r"imt_[0-9A-Za-z]{49}"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
_SHOWN_LENGTH = len(PREFIX) + 8
_TOKEN = re.compile(PATTERN)


def new_token() -> str:
    """A new token."""
    random = _base_62(secrets.randbelow(len(_ALPHABET) ** _RANDOM_LENGTH), _RANDOM_LENGTH)
    return f"{PREFIX}{random}{_checksum(random)}"


def shown_prefix(token: str) -> str:
    """The start of a token, by which its owner recognises it in a list; 208 of its random bits remain secret."""
    return token[:_SHOWN_LENGTH]


def is_well_formed(token: str) -> bool:
    """Whether a text has the form of a token and the right checksum; others need no look into the database."""
    return _TOKEN.fullmatch(token) is not None and token.endswith(_checksum(token[len(PREFIX) : -_CHECKSUM_LENGTH]))


def _checksum(random: str) -> str:
    return _base_62(zlib.crc32(random.encode()), _CHECKSUM_LENGTH)


def _base_62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
