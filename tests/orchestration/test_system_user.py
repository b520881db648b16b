"""Who the embedded server runs as, and what that account must be able to reach."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from orchestration import system_user
from orchestration.system_user import Account
from settings import SettingsError

NOBODY = pwd.getpwnam("nobody")
STRANGER = Account("nobody", NOBODY.pw_uid, NOBODY.pw_gid, is_caller=False)


class TestRefuseUnreachable:
    def test_names_the_folder_that_is_closed_and_what_would_open_it(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        (closed / "data").mkdir(parents=True)
        tmp_path.parent.parent.chmod(0o755)
        tmp_path.parent.chmod(0o755)
        tmp_path.chmod(0o755)
        closed.chmod(0o700)

        with pytest.raises(SettingsError, match=rf"cannot pass through {closed} .*chmod o\+x {closed}.*or move it"):
            system_user.refuse_unreachable(STRANGER, closed / "data", "the data folder", "move it")

        closed.chmod(0o711)
        system_user.refuse_unreachable(STRANGER, closed / "data", "the data folder", "move it")

    def test_lets_the_caller_be(self, tmp_path: Path) -> None:
        caller = Account("me", os.geteuid(), os.getegid(), is_caller=True)
        (tmp_path / "closed").mkdir(mode=0o000)

        system_user.refuse_unreachable(caller, tmp_path / "closed", "x", "y")


class TestAccountFor:
    def test_is_never_root(self, tmp_path: Path) -> None:
        account = system_user.account_for(tmp_path)

        assert account.uid != 0
        assert account.is_caller == (os.geteuid() != 0)

    def test_is_the_owner_of_an_existing_folder_for_root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            Path, "stat", lambda _self: os.stat_result((0o40700, 0, 0, 0, NOBODY.pw_uid, 0, 0, 0, 0, 0))
        )
        monkeypatch.setattr(Path, "exists", lambda _self: True)
        monkeypatch.setattr(os, "geteuid", lambda: 0)

        assert system_user.account_for(tmp_path) == STRANGER

    def test_refuses_a_folder_of_somebody_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)

        with pytest.raises(SettingsError, match=f"{tmp_path} belongs to another user"):
            system_user.account_for(tmp_path)
