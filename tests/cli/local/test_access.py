"""Access of the embedded server's account to the folders that it needs."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from cli.local import access
from cli.local.system_user import Account
from settings import SettingsError

NOBODY = pwd.getpwnam("nobody")
STRANGER = Account("nobody", NOBODY.pw_uid, NOBODY.pw_gid, is_caller=False)
OTHER = Account("daemon", pwd.getpwnam("daemon").pw_uid, pwd.getpwnam("daemon").pw_gid, is_caller=False)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that only its owner can enter."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    (folder / "data").mkdir()
    return folder


class TestEnsureAccess:
    def test_allows_only_the_account_to_enter(self, closed: Path) -> None:
        if os.geteuid() == 0:
            access.ensure_access(STRANGER, closed / "data", "the data folder", "move it")
            assert access._can_enter(STRANGER, closed / "data")
            assert not access._can_enter(OTHER, closed / "data")
        else:
            assert access._grant_access(STRANGER, closed)

        entries = access._entries(closed)
        assert entries[access._USER, STRANGER.uid] == 1
        assert entries[access._OTHERS, access._NOBODY] == 0
        assert closed.stat().st_mode & 0o707 == 0o700

    def test_keeps_existing_entries(self, closed: Path) -> None:
        access._grant_access(OTHER, closed)
        access._grant_access(STRANGER, closed)
        access._grant_access(STRANGER, closed)

        entries = access._entries(closed)
        assert entries[access._USER, OTHER.uid] == entries[access._USER, STRANGER.uid] == 1

    def test_names_the_inaccessible_folder_and_the_remedy(self, closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on a file system without access control lists."""
        monkeypatch.setattr(access, "_grant_access", lambda _account, _folder: False)
        monkeypatch.setattr(access, "_can_enter", lambda _account, folder: folder not in {closed, closed / "data"})

        with pytest.raises(SettingsError, match=rf"cannot enter {closed} .*chmod o\+x {closed}.*or move it"):
            access.ensure_access(STRANGER, closed / "data", "the data folder", "move it")

    def test_changes_nothing_for_the_caller(self, closed: Path) -> None:
        access.ensure_access(Account("me", os.geteuid(), os.getegid(), is_caller=True), closed / "data", "x", "y")

        assert closed.stat().st_mode & 0o777 == 0o700


class TestMakeReadable:
    def test_opens_files_created_with_a_strict_umask(self, closed: Path) -> None:
        program, data = closed / "program", closed / "data" / "file"
        program.touch(mode=0o700)
        data.touch(mode=0o600)

        access.make_readable(STRANGER, closed)

        assert [path.stat().st_mode & 0o007 for path in (closed, closed / "data", program, data)] == [5, 5, 5, 4]
