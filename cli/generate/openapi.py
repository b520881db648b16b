"""Write the API's description from the code, or hold the committed one to it: `python -m cli.generate.openapi [--check] FILE`."""

from __future__ import annotations

import json
import sys

from api.main import create_app
from cli.generate.files import write_or_check
from settings import Settings


def describe() -> str:
    """The OpenAPI document of the whole application; nothing connects, so no server is needed."""
    placeholder = "-" * 32
    settings = Settings.of(
        database_url="postgresql://localhost/ideamint", app_password=placeholder, jwt_secret=placeholder
    )
    return json.dumps(create_app(settings).openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check(describe, __doc__))
