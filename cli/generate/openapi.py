"""Write the OpenAPI document, or check the committed one: `python -m cli.generate.openapi [--check] FILE`."""

from __future__ import annotations

import json
import sys

from pydantic import PostgresDsn, SecretStr

from api.main import create_app
from cli.generate.files import write_or_check
from settings import Settings


def describe() -> str:
    """The OpenAPI document of the whole application, as JSON. No connection is opened, so no server is needed."""
    placeholder = SecretStr("-" * 32)
    settings = Settings.model_construct(
        **{name: field.get_default() for name, field in Settings.model_fields.items()}
        | {
            "database_url": PostgresDsn("postgresql://localhost/ideamint"),
            "app_password": placeholder,
            "jwt_secret": placeholder,
        }
    )
    return json.dumps(create_app(settings).openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check(describe, __doc__))
