"""Supervises the processes of one installation: restarts them, and ends all of them together.

A child process that dies is restarted after a pause that doubles. Three deaths of one child within a minute end the whole
installation and show the last lines of its log, since a partial installation could be mistaken for a complete one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from settings.files import replace_file

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
DEATHS_MAX = 3
DEATHS_WINDOW_S = 60.0
TIMEOUT_S = 10.0
LOG_BYTES_MAX = 10_000_000
LAST_LINES = 20


@dataclass(frozen=True)
class Service:
    """A process to supervise; `is_ready` checks whether it responds; None if there is no check."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Callable[[], Awaitable[bool]] | None


class ServiceFailed(Exception):
    """A service died too often or cannot start; `last_lines` are the last lines of its log."""

    def __init__(self, message: str, log: Path) -> None:
        """Reads the last lines of `log`."""
        self.last_lines = _tail(log)
        self.log = log
        super().__init__(message)


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[bytes]
    identity: psutil.Process

    async def end(self) -> None:
        await end_process_tree(self.identity)
        self.process.wait()


@dataclass
class Supervisor:
    """Runs services until :meth:`stop` is called or one of them fails.

    Each child has its own process group, so that Ctrl-C in the terminal reaches only the supervisor, which then ends
    children and grandchildren in order. `record` is a file with the ids of the children, used if the
    supervisor itself is killed.
    """

    log_dir: Path
    record: Path
    say: Callable[[str], None]
    _children: dict[str, _Child] = field(default_factory=dict)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Ask :meth:`run` to end all services and return."""
        self._stopping.set()

    async def run(
        self,
        services: Sequence[Service],
        when_ready: Callable[[], None],
        watchdogs: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
    ) -> None:
        """Run services until stopped; calls `when_ready` once all services are ready for the first time.

        `watchdogs` run concurrently with the services and are cancelled before the services end. One restarts PostgreSQL,
        which is not a child process; another prints degraded checks of readiness.

        Raises:
            ServiceFailed: a service died three times within a minute, or a watchdog raised it. All services are stopped.
        """
        self.log_dir.mkdir(parents=True, exist_ok=True)
        tasks = [asyncio.create_task(self._supervise(service), name=service.name) for service in services]
        tasks += [asyncio.create_task(watchdog(), name="watchdog") for watchdog in watchdogs]
        announcing = asyncio.create_task(self._announce(services, when_ready))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            announcing.cancel()
            stopping.cancel()
            for task in tasks:
                if not task.done():
                    task.cancel()
            await asyncio.gather(announcing, stopping, *tasks, return_exceptions=True)
            await asyncio.gather(*(child.end() for child in self._children.values()))
            _write_record(self.record, [])
        for task in tasks:
            if not task.cancelled() and (failure := task.exception()) is not None:
                raise failure

    async def _supervise(self, service: Service) -> None:
        """Start a service and restart it whenever it dies."""
        log = self.log_dir / f"{service.name}.log"
        deaths: deque[float] = deque(maxlen=DEATHS_MAX)
        pause_s = FIRST_PAUSE_S
        while True:
            started_at = time.monotonic()
            child = self._children[service.name] = self._start(service, log)
            _write_record(self.record, (each.identity for each in self._children.values()))
            code = await _exit_of(child.process)
            await child.end()
            del self._children[service.name]
            died_at = time.monotonic()
            deaths.append(died_at)
            if len(deaths) == DEATHS_MAX and died_at - deaths[0] <= DEATHS_WINDOW_S:
                msg = f"{service.name} died {DEATHS_MAX} times within {DEATHS_WINDOW_S:.0f} s"
                raise ServiceFailed(msg, log)
            if died_at - started_at > DEATHS_WINDOW_S:
                pause_s = FIRST_PAUSE_S
            self.say(f"{service.name} ended ({_described(code)}); restarting it in {pause_s:.0f} s. Log: {log}")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    @staticmethod
    def _start(service: Service, log: Path) -> _Child:
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            process = subprocess.Popen(
                service.command,
                env=dict(service.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return _Child(process, psutil.Process(process.pid))

    async def _announce(self, services: Sequence[Service], when_ready: Callable[[], None]) -> None:
        async def wait_for(service: Service) -> None:
            if service.is_ready is None:
                return
            started_at = time.monotonic()
            while not await service.is_ready():  # noqa: ASYNC110 - another process cannot set an event
                await asyncio.sleep(0.2)
            self.say(f"{service.name} is ready after {time.monotonic() - started_at:.1f} s")

        await asyncio.gather(*map(wait_for, services))
        when_ready()


async def end_process_tree(process: psutil.Process) -> None:
    """End a process, its descendants and its process group with SIGTERM, and with SIGKILL after 10 s."""
    family = _family(process)
    _signal(process, family, signal.SIGTERM)
    give_up_at = time.monotonic() + TIMEOUT_S
    while alive := [member for member in family if _is_alive(member)]:
        if time.monotonic() > give_up_at:
            _signal(process, alive, signal.SIGKILL)
            give_up_at = time.monotonic() + TIMEOUT_S
        await asyncio.sleep(0.05)
    # For processes that members of the group have started meanwhile, and orphans in the group.
    _signal(process, [], signal.SIGKILL)


async def end_orphans(record: Path) -> int:
    """End the services that a killed supervisor left running; returns their number."""
    orphans = _read_record(record)
    await asyncio.gather(*map(end_process_tree, orphans))
    _write_record(record, [])
    return len(orphans)


async def _exit_of(process: subprocess.Popen[bytes]) -> int:
    while (code := process.poll()) is None:  # noqa: ASYNC110 - asyncio's own API needs a child watcher of the event loop
        await asyncio.sleep(0.1)
    return code


def _read_record(record: Path) -> list[psutil.Process]:
    """The recorded processes that are still running."""
    try:
        recorded = json.loads(record.read_text())
    except (OSError, ValueError):
        return []
    running = []
    for pid, created_at in recorded:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            # Process ids are reused; the same id with the same start time is the same process.
            if abs(process.create_time() - created_at) < 1:
                running.append(process)
    return running


def _write_record(record: Path, children: Iterable[psutil.Process]) -> None:
    recorded = []
    for child in children:
        with contextlib.suppress(psutil.Error):
            recorded.append((child.pid, child.create_time()))
    replace_file(record, json.dumps(recorded))


def _family(process: psutil.Process) -> list[psutil.Process]:
    """The process, its descendants, and all other processes of its group, such as orphans of a dead child."""
    members = {process.pid: process}
    with contextlib.suppress(psutil.Error):
        members |= {child.pid: child for child in process.children(recursive=True)}
    for other in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getpgid(other.pid) == process.pid:
                members[other.pid] = other
    return list(members.values())


def _signal(leader: psutil.Process, family: Sequence[psutil.Process], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, number)
    for member in family:
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if _is_alive(member) and os.getpgid(member.pid) != leader.pid:
                member.send_signal(number)


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _described(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
    return ""
