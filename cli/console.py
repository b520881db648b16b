"""Output of commands: messages on stderr, results on stdout as text or JSON, progress bars on a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_LINE_INTERVAL_S = 5.0


class Steps(Protocol):
    """Shows the progress of work that has several steps."""

    def say(self, text: str) -> None:
        """Show the step that starts now."""

    def advance(self, done: int, total: int) -> None:
        """Show that `done` of `total` parts of the current step are finished."""


def say(text: str) -> None:
    """Print a message on stderr; stdout is for results."""
    _stderr().print(text, markup=False)


def fail(text: str) -> None:
    """Print an error on stderr."""
    _stderr().print(text, style="red", markup=False)


def _stderr() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def result(data: Mapping[str, Any] | list[Any], lines: list[str], *, as_json: bool) -> None:
    """Print a command's result on stdout: `data` as one JSON document, or `lines` as text."""
    if as_json:
        sys.stdout.write(json.dumps(data, default=str, ensure_ascii=False) + "\n")
        return
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    for line in lines:
        console.print(line, markup=False)


@contextmanager
def steps() -> Iterator[Steps]:
    """Progress as a bar on a terminal; otherwise as lines, at most one every 5 s within a step."""
    console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress)


@dataclass
class _Bar:
    progress: Progress
    task: TaskID | None = None

    def say(self, text: str) -> None:
        self.progress.console.print(text, markup=False)
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(text, total=None)

    def advance(self, done: int, total: int) -> None:
        if self.task is not None:
            self.progress.update(self.task, completed=done, total=total)


@dataclass
class _Lines:
    step: str = ""
    shown_at: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        self.step, self.shown_at = text, time.monotonic()
        say(text)

    def advance(self, done: int, total: int) -> None:
        if time.monotonic() - self.shown_at > _LINE_INTERVAL_S:
            self.shown_at = time.monotonic()
            say(f"{self.step}: {done} of {total}")
