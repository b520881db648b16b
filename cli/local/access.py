"""Lets the embedded server's account pass through folders that are closed to it, when root starts the server.

Root's folders are often closed to everybody else (its home, a temporary folder), and PostgreSQL refuses to run as root.
An access control entry lets its account pass through, and nobody else, and shows it nothing on the way.
"""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from cli import console
from cli.local.system_user import Account
from settings import SettingsError

# The kernel's form of an access control list (include/uapi/linux/posix_acl_xattr.h): a version, then entries of tag,
# permissions and id, in this order of tags.
_ACL = "system.posix_acl_access"
_HEAD, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_VERSION = 2
_OWNER, _USER, _GROUP_OF_OWNER, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
_NOBODY = 0xFFFFFFFF
_PASS = 1


def open_way(account: Account, path: Path, what: str, instead: str) -> None:
    """See that the account can reach a folder, and let it pass through what is closed to it on the way.

    `what` it is and what to do `instead` go into the message.

    Raises:
        SettingsError: a folder on the way stays closed.
    """
    if account.is_caller or _passes(account, path):
        return
    for folder in [*reversed(path.parents), path]:
        if _passes(account, folder):
            continue
        if _let_pass(account, folder) and _passes(account, folder):
            console.say(f"let the user {account.name}, as whom PostgreSQL runs, pass through {folder}")
            continue
        msg = (
            f"PostgreSQL does not run as root, so it runs as the user {account.name}, who cannot pass through {folder} "
            f"to reach {what} {path}. Either open that folder (chmod o+x {folder}), or {instead}, or do not run as root"
        )
        raise SettingsError(msg)


def open_tree(account: Account, folder: Path) -> None:
    """Let everybody read and run what was installed in a folder of ours, which a strict umask may have prevented."""
    if account.is_caller or folder.stat().st_mode & 0o005 == 0o005:
        return
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o004 | (0o001 if mode & 0o100 else 0))


def _passes(account: Account, folder: Path) -> bool:
    return subprocess.run(["test", "-x", folder], check=False, cwd="/", **account.as_process()).returncode == 0


def _let_pass(account: Account, folder: Path) -> bool:
    """Add an entry for the account to the folder's list; False where the file system keeps none."""
    if not hasattr(os, "setxattr"):
        return False
    try:
        entries = _entries(folder)
        entries[_USER, account.uid] = entries.get((_USER, account.uid), 0) | _PASS
        entries[_MASK, _NOBODY] = entries.get((_MASK, _NOBODY), entries[_GROUP_OF_OWNER, _NOBODY]) | _PASS
        packed = b"".join(_ENTRY.pack(tag, mode, who) for (tag, who), mode in sorted(entries.items()))
        os.setxattr(folder, _ACL, _HEAD.pack(_VERSION) + packed)
    except OSError:
        return False
    return True


def _entries(folder: Path) -> dict[tuple[int, int], int]:
    """Permissions by tag and id: the folder's list, or what its mode says."""
    try:
        packed = os.getxattr(folder, _ACL)
    except OSError:
        mode = folder.stat().st_mode
        return {
            (_OWNER, _NOBODY): mode >> 6 & 7,
            (_GROUP_OF_OWNER, _NOBODY): mode >> 3 & 7,
            (_OTHERS, _NOBODY): mode & 7,
        }
    return {(tag, who): mode for tag, mode, who in _ENTRY.iter_unpack(packed[_HEAD.size :])}
