"""Finds API tokens of Ideamint in texts; a plugin of detect-secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from detect_secrets.plugins.base import BasePlugin

from api.auth.api_tokens.secrets import PATTERN, is_well_formed

if TYPE_CHECKING:
    from collections.abc import Generator


class ApiTokenDetector(BasePlugin):
    """Texts with the form and the checksum of a token."""

    secret_type = "Ideamint API token"

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """The tokens in a line."""
        yield from (found for found in re.findall(PATTERN, string) if is_well_formed(found))
