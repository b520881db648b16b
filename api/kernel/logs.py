"""Structured logs: one line per event, as JSON for programs or in colour on a terminal."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from api.kernel import origins

if TYPE_CHECKING:
    from api.kernel.origins import Origin
    from settings.logs import LogSettings


# Parts of the names of values that no log may contain.
_SECRET = re.compile(r"password|passwd|secret|token|authorization|cookie|credential|email|display_name", re.IGNORECASE)
REDACTED = "[redacted]"


def redact(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace values whose names say that they are secret or personal, in mappings too."""
    return {name: REDACTED if _SECRET.search(name) else _redacted(value) for name, value in event.items()}


def _redacted(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: REDACTED if _SECRET.search(str(name)) else _redacted(each) for name, each in value.items()}
    return value


class RequestLog:
    """Writes one line for each request, at the level INFO.

    As JSON it is written without structlog's processors, which cost as much as a tenth of a coin command: the names of its
    values are known, and none is secret. The line has the form of all others. Lines of requests that end in one turn of the
    event loop, as the coin commands of a batch do, are written together.
    """

    def __init__(self, logger: str) -> None:
        """`logger` is the name of the logger."""
        self._logger = logger
        self._log = structlog.get_logger(logger)
        self._lines: list[bytes] = []

    def write(self, *, origin: Origin, **values: object) -> None:
        """Write the line, with the ids of the request and of its caller."""
        if not _is_shown:
            return
        if _direct is None:
            with origins.acting(origin):
                self._log.info("request", **values)
            return
        line = {
            **values,
            "event": "request",
            **_ids_of(origin),
            "level": "info",
            "logger": self._logger,
            "timestamp": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }
        self._lines.append(orjson.dumps(line, default=str))
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_soon(self._write_lines)

    def _write_lines(self) -> None:
        text = b"\n".join((*self._lines, b"")).decode()
        self._lines.clear()
        if _direct is not None:
            with _direct.lock or nullcontext():
                _direct.stream.write(text)
                _direct.flush()


def _ids_of(origin: Origin) -> dict[str, str]:
    ids = {} if origin.request_id is None else {"request_id": origin.request_id}
    if origin.user_id is not None:
        ids["user_id"] = str(origin.user_id)
    return ids


def add_ids(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the ids of the current request and of its caller to a line."""
    event.update(_ids_of(origins.current()))
    return event


_direct: logging.StreamHandler[Any] | None = None
"""Where requests are written as JSON; None if they are written as other lines are."""
_is_shown = True
"""Whether lines of the level INFO are shown."""


def configure(settings: LogSettings) -> None:
    """Send all logs of the process, including the standard library's, through structlog to stderr."""
    global _direct, _is_shown  # noqa: PLW0603 - logging is configured once in a process
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        add_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        # the default shows local variables, passwords among them
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    last: list[structlog.typing.Processor] = [structlog.processors.format_exc_info] if as_json else []
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        # drops an event below the level before it is rendered
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level)
    _direct = handler if as_json else None
    _is_shown = root.isEnabledFor(logging.INFO)
    # our middleware logs every request once, with its id
    logging.getLogger("uvicorn.access").disabled = True
