"""The account of the embedded PostgreSQL: the caller or, for root, another account, since PostgreSQL does not run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from settings import SettingsError

NAME = "ideamint"


class ProcessOptions(TypedDict, total=False):
    """Arguments of `subprocess` that change the account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A user of this machine; `is_caller` if it is the current user."""

    name: str
    uid: int
    gid: int
    is_caller: bool

    def as_process(self) -> ProcessOptions:
        """Arguments of `subprocess` that run a program as this account."""
        return {} if self.is_caller else {"user": self.uid, "group": self.gid, "extra_groups": []}


def account_for(folder: Path) -> Account:
    """The account that runs a server on this folder.

    A caller other than root runs it with its own account. For root it is the owner of the folder, or the system user
    `ideamint` if root owns the folder; that user is created if it is missing.

    Raises:
        SettingsError: the folder belongs to another user, or the system user cannot be created.
    """
    caller = os.geteuid()
    owner = folder.stat().st_uid if folder.exists() else caller
    if caller != 0:
        if owner != caller:
            msg = (
                f"{folder} belongs to another user ({_name_of(owner)}); run as that user, or choose another data folder"
            )
            raise SettingsError(msg)
        return Account(_name_of(caller), caller, os.getegid(), is_caller=True)
    entry = pwd.getpwuid(owner) if owner != 0 and _is_known(owner) else _system_user()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, is_caller=False)


def make_folder(folder: Path) -> None:
    """Create a folder under which the server's account has files, or the data folder itself; others cannot read it.

    Raises:
        SettingsError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # root's folder lets the server's account pass
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        msg = f"IDEAMINT_DATA_DIR: cannot create the folder {folder}: {error.strerror}"
        raise SettingsError(msg) from error


def change_owner(path: Path, account: Account) -> None:
    """Change the owner of a file or folder to the account."""
    if not account.is_caller:
        os.chown(path, account.uid, account.gid)


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        pass
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", NAME]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip()
        msg = (
            f"PostgreSQL does not run as root, and the system user {NAME} cannot be created ({reason}). "
            "Create it yourself, or do not run as root"
        )
        try:
            return pwd.getpwnam(NAME)  # another process has created it meanwhile
        except KeyError:
            raise SettingsError(msg) from error
    return pwd.getpwnam(NAME)


def _is_known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _name_of(uid: int) -> str:
    return pwd.getpwuid(uid).pw_name if _is_known(uid) else str(uid)
