"""Reads the settings from the environment and a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from settings.installation import Environment
from settings.model import Settings, variables
from settings.secret_file import keep_secrets
from settings.subject import PREFIX


class _Variables(BaseSettings):
    """The variables that are set, as text."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")


def load(*, env_file: Path | str | None = ".env", **overrides: Any) -> Settings:
    """Read the environment and `env_file`, and generate missing secrets, which are stored under the data folder.

    `overrides` are values by variable name (`database_url`). In production no secret is generated.

    Raises:
        SettingsError: a value is invalid or, in production, a secret is missing.
    """
    settings = Settings.of(**(_read(env_file) | overrides))
    missing = settings.missing_secrets()
    if not missing or settings.installation.environment is Environment.PRODUCTION:
        return settings
    stored = keep_secrets(settings.paths.data_dir, Settings.SECRETS)
    return settings.with_(**{name: stored[name] for name in missing})


def _read(env_file: Path | str | None) -> dict[str, Any]:
    fields: dict[str, Any] = dict.fromkeys(variables(), (str | None, None))
    model = create_model("Variables", __base__=_Variables, **fields)
    return model(_env_file=env_file).model_dump(exclude_unset=True)
