"""The record of releases in CHANGELOG.md, and files taken from the history."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.upgrade.releases import CURRENT, ROOT, Release, ReleaseMissing, find_last_release, is_cut_off, unpack

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHANGELOG = f"""# Changelog

## [Unreleased]

### Added

- A line.

## [1.3.0] - 2026-12-24

Commit: `{COMMIT}`

- Another line.

## [1.2.0] - 2026-11-26

Commit: `{COMMIT[::-1]}`
"""


class TestFindLastRelease:
    def test_is_the_first_in_the_list(self) -> None:
        assert find_last_release(CHANGELOG) == Release("1.3.0", COMMIT)

    def test_is_the_current_commit_while_none_is_recorded(self) -> None:
        assert find_last_release(CHANGELOG.partition("## [1.3.0]")[0]) == Release(None, "HEAD")

    def test_a_release_without_a_commit_is_an_error(self) -> None:
        with pytest.raises(ReleaseMissing, match=r"release 1\.3\.0 has no line 'Commit:"):
            find_last_release(CHANGELOG.replace(f"Commit: `{COMMIT}`", ""))

    def test_the_changelog_of_the_project_is_readable(self) -> None:
        find_last_release((ROOT / "CHANGELOG.md").read_text())


class TestIsCutOff:
    def test_only_an_earlier_commit_in_a_shallow_clone_is(self, tmp_path: Path) -> None:
        whole, shallow = tmp_path / "whole", tmp_path / "shallow"
        for command in (
            ["init", "--quiet", str(whole)],
            ["clone", "--quiet", "--depth=1", f"file://{ROOT}", str(shallow)],
        ):
            subprocess.run(["git", *command], check=True, capture_output=True)
        assert is_cut_off(Release("1.3.0", COMMIT), shallow)
        assert not is_cut_off(CURRENT, shallow)
        assert not is_cut_off(Release("1.3.0", COMMIT), whole)


class TestUnpack:
    def test_writes_the_files_of_the_commit(self, tmp_path: Path) -> None:
        unpack(Release(None, "HEAD"), tmp_path)
        assert (tmp_path / "api" / "main.py").exists()

    def test_a_commit_outside_a_shallow_clone_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(
            ReleaseMissing, match=r"cannot read commit 0123.* of release 1\.3\.0.*git fetch --unshallow"
        ):
            unpack(Release("1.3.0", COMMIT), tmp_path)
