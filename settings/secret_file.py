"""The secrets that an installation generates for itself, in `secrets.json` under its data folder."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock

from settings.files import replace_file
from settings.subject import PREFIX, SettingsError


def keep_secrets(data_dir: Path, names: Iterable[str]) -> dict[str, str]:
    """Secrets of this installation by name, each generated when it is first requested.

    They are stored in `secrets.json` with mode 0600. A lock keeps two first starts from generating different secrets.

    Raises:
        SettingsError: the file cannot be read or written, or is not what this function wrote.
    """
    path = data_dir / "secrets.json"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / "secrets.lock"):
            kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
            made = {name: secrets.token_hex(32) for name in names if not kept.get(name)}
            if made:
                kept |= made
                replace_file(path, json.dumps(kept, indent=2), mode=0o600)
    except (OSError, ValueError) as error:
        msg = f"{path}: {error}. {PREFIX}DATA_DIR names a folder that this user may write to"
        raise SettingsError(msg) from error
    return kept
