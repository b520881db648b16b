"""The generated secrets of an installation, in `secrets.json` under its data folder."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock

from settings.files import replace_file
from settings.subject import PREFIX, SettingsError


def keep_secrets(data_dir: Path, names: Iterable[str]) -> dict[str, str]:
    """Secrets of this installation by name; each is generated on the first request.

    They are stored in `secrets.json` with mode 0600. A lock makes concurrent first starts agree.

    Raises:
        SettingsError: the file cannot be read or written, or was not written by this function.
    """
    path = data_dir / "secrets.json"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / "secrets.lock"):
            stored: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
            generated = {name: secrets.token_hex(32) for name in names if not stored.get(name)}
            if generated:
                stored |= generated
                replace_file(path, json.dumps(stored, indent=2), mode=0o600)
    except (OSError, ValueError) as error:
        msg = f"{path}: {error}. {PREFIX}DATA_DIR must be a folder that this user can write to"
        raise SettingsError(msg) from error
    return stored
