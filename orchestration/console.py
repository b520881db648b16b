"""What commands print: people's lines on stderr or stdout, programs' JSON on stdout, progress on a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_PLAIN_LINE_EVERY_S = 5.0


class Advance(Protocol):
    """Tells how far the work is: `done` of `total` steps, of a `stage` if there are several."""

    def __call__(self, done: int, total: int, stage: str = "") -> None:
        """Show it."""


def say(text: str) -> None:
    """A line for people on stderr, so that stdout holds results alone."""
    _people().print(text, markup=False)


def fail(text: str) -> None:
    """A refusal or failure, on stderr."""
    _people().print(text, style="red", markup=False)


def _people() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def result(data: Mapping[str, Any] | list[Any], lines: list[str], *, as_json: bool) -> None:
    """A command's result on stdout: `data` as one JSON document, or `lines` for people."""
    if as_json:
        sys.stdout.write(json.dumps(data, default=str, ensure_ascii=False) + "\n")
        return
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    for line in lines:
        console.print(line, markup=False)


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """A bar on a terminal; elsewhere a plain line every 5 s."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(what, total=None)

            def move(done: int, total: int, stage: str = "") -> None:
                bar.update(task, completed=done, total=total, description=f"{what} {stage}".rstrip())

            yield move
        return
    said_at = time.monotonic()

    def say_now_and_then(done: int, total: int, stage: str = "") -> None:
        nonlocal said_at
        if time.monotonic() - said_at > _PLAIN_LINE_EVERY_S:
            said_at = time.monotonic()
            say(f"{what}: {done} of {total} {stage}".rstrip())

    yield say_now_and_then
