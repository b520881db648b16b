"""Write the OpenAPI document, or check the committed one: `python -m cli.generate.openapi [--check] FILE`."""

from __future__ import annotations

import json
import sys
from typing import Any

from api.main import create_app
from cli.generate.files import write_or_check
from settings import Settings


def describe() -> str:
    """The OpenAPI document of the whole application as JSON."""
    return json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def document() -> dict[str, Any]:
    """The OpenAPI document of the whole application; nothing connects, so no server is needed."""
    placeholder = "-" * 32
    settings = Settings.of(
        database_url="postgresql://localhost/ideamint", app_password=placeholder, jwt_secret=placeholder
    )
    described: dict[str, Any] = create_app(settings).openapi()
    return described


if __name__ == "__main__":
    sys.exit(write_or_check(describe, __doc__))
