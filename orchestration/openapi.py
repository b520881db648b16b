"""Write the API's description from the code, or hold the committed one to it: `python -m orchestration.openapi [--check] FILE`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pydantic import PostgresDsn, SecretStr

from api.main import create_app
from settings import Settings


def describe() -> str:
    """The OpenAPI document of the whole application; nothing connects, so no server is needed."""
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


def main() -> int:
    """Write or check the file; 1 if it is not what the code says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is out of date")
    arguments = parser.parse_args()
    described = describe()
    if not arguments.check:
        arguments.file.write_text(described, encoding="utf-8")
        return 0
    if arguments.file.exists() and arguments.file.read_text(encoding="utf-8") == described:
        return 0
    sys.stderr.write(f"{arguments.file} is not what the code says; run `make openapi` and commit it\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
