"""The account of the embedded server."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from cli.local import system_user
from cli.local.system_user import Account
from settings import SettingsError

NOBODY = pwd.getpwnam("nobody")
STRANGER = Account("nobody", NOBODY.pw_uid, NOBODY.pw_gid, is_caller=False)


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

    def test_refuses_a_folder_of_another_user(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)

        with pytest.raises(SettingsError, match=f"{tmp_path} belongs to another user"):
            system_user.account_for(tmp_path)
