"""Reads the settings from the environment and a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from settings.installation import Environment
from settings.model import Settings, confidential, variables
from settings.secret_file import keep_secrets
from settings.subject import PREFIX, SettingsError


class _Variables(BaseSettings):
    """The variables that are set, as text."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")


def load(*, env_file: Path | str | None = ".env", **overrides: Any) -> Settings:
    """Read the environment and `env_file`, and generate missing secrets, which are stored under the data folder.

    A secret, or a URL that may contain one, can be the content of a file that `IDEAMINT_<NAME>_FILE` names, without the
    line break at its end. `overrides` are values by variable name (`database_url`). In production no secret is generated.

    Raises:
        SettingsError: a value is invalid, is given twice, or is in a file that cannot be read; or, in production, a secret is missing.
    """
    settings = Settings.of(**(_read(env_file) | overrides))
    missing = settings.missing_secrets()
    if not missing or settings.installation.environment is Environment.PRODUCTION:
        return settings
    stored = keep_secrets(settings.paths.data_dir, Settings.SECRETS)
    return settings.with_(**{name: stored[name] for name in missing})


def _read(env_file: Path | str | None) -> dict[str, Any]:
    files = {f"{name}_file": name for name in confidential()}
    fields: dict[str, Any] = dict.fromkeys((*variables(), *files), (str | None, None))
    model = create_model("Variables", __base__=_Variables, **fields)
    values = model(_env_file=env_file).model_dump(exclude_unset=True)
    for variable, name in files.items():
        if path := values.pop(variable, None):
            if values.get(name):
                msg = f"{PREFIX}{name.upper()}: also given by {PREFIX}{variable.upper()}; expected: one of them"
                raise SettingsError(msg)
            values[name] = _content(variable, Path(path))
    return values


def _content(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        msg = f"{PREFIX}{variable.upper()}: {path}: {reason}; expected: a file that contains the value"
        raise SettingsError(msg) from error
