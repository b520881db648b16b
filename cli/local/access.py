"""Access to folders for the account of the embedded server, when root starts the server.

Folders of root (its home, a temporary folder) often deny access to all other users, and PostgreSQL refuses to run as root.
An access control entry allows the server's account, and no other, to enter a folder; it does not allow listing it.
"""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from cli import console
from cli.local.system_user import Account
from settings import SettingsError

# Binary format of an access control list (include/uapi/linux/posix_acl_xattr.h): a version, then entries of tag,
# permissions and id, sorted by tag.
_ACL = "system.posix_acl_access"
_HEAD, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_VERSION = 2
_OWNER, _USER, _GROUP_OF_OWNER, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
_NOBODY = 0xFFFFFFFF
_PASS = 1


def ensure_access(account: Account, path: Path, what: str, instead: str) -> None:
    """Make a folder accessible to the account, with access control entries on parent folders where needed.

    `what` describes the folder and `instead` the alternative, for the error message.

    Raises:
        SettingsError: a folder of the path remains inaccessible.
    """
    if account.is_caller or _can_enter(account, path):
        return
    for folder in [*reversed(path.parents), path]:
        if _can_enter(account, folder):
            continue
        if _grant_access(account, folder) and _can_enter(account, folder):
            console.say(f"allowed the user {account.name}, which runs PostgreSQL, to enter {folder}")
            continue
        msg = (
            f"PostgreSQL does not run as root, so it runs as the user {account.name}, which cannot enter {folder} "
            f"to reach {what} {path}. Either allow it (chmod o+x {folder}), or {instead}, or do not run as root"
        )
        raise SettingsError(msg)


def make_readable(account: Account, folder: Path) -> None:
    """Make the installed programs in a folder readable and executable for all users; a strict umask may prevent it."""
    if account.is_caller or folder.stat().st_mode & 0o005 == 0o005:
        return
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o004 | (0o001 if mode & 0o100 else 0))


def _can_enter(account: Account, folder: Path) -> bool:
    return subprocess.run(["test", "-x", folder], check=False, cwd="/", **account.as_process()).returncode == 0


def _grant_access(account: Account, folder: Path) -> bool:
    """Add an entry for the account to the folder's access control list; False if the file system supports none."""
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
    """Permissions by tag and id: from the access control list, or from the mode without one."""
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
