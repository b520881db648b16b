"""All settings: one model per subject, read once.

Every top-level package may import this one, and it imports none of them. Nothing is read at import: entry points
(commands, the start of a process) call :func:`load` and pass the result, or a subject of it, to other code.
"""

from __future__ import annotations

from settings.installation import Environment
from settings.loading import load
from settings.model import Settings
from settings.secret_file import keep_secrets
from settings.subject import PREFIX, SettingsError

__all__ = ["PREFIX", "Environment", "Settings", "SettingsError", "keep_secrets", "load"]
