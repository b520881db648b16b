"""Settings of the logs."""

from __future__ import annotations

from pydantic import Field

from settings.subject import Subject


class LogSettings(Subject):
    """Format and level of the logs."""

    format: str = Field(
        "auto",
        alias="log_format",
        pattern=r"^(auto|json|console)$",
        description="json, console, or auto: json unless on a terminal",
    )
    level: str = Field(
        "INFO",
        alias="log_level",
        pattern=r"^(DEBUG|INFO|WARNING|ERROR)$",
        description="DEBUG, INFO, WARNING or ERROR",
    )
