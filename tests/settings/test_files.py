from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from settings.files import replace_file, replacing

if TYPE_CHECKING:
    from pathlib import Path


class TestReplaceFile:
    def test_writes_bytes_or_text_as_utf8(self, tmp_path: Path) -> None:
        replace_file(tmp_path / "bytes", b"\x00\xff")
        replace_file(tmp_path / "text", "zł\n")
        assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
        assert (tmp_path / "text").read_bytes() == b"z\xc5\x82\n"

    def test_replaces_the_whole_content(self, tmp_path: Path) -> None:
        replace_file(tmp_path / "file", b"longer than the next one")
        replace_file(tmp_path / "file", b"short")
        assert (tmp_path / "file").read_bytes() == b"short"
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_the_mode_is_set_at_creation(self, tmp_path: Path) -> None:
        with replacing(tmp_path / "file", mode=0o600):
            (temporary,) = tmp_path.iterdir()
            assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600

    def test_a_missing_folder_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            replace_file(tmp_path / "none" / "file", b"")


class TestReplacing:
    def test_readers_see_the_old_file_until_the_block_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        with replacing(path) as file:
            file.write(b"new")
            assert path.read_bytes() == b"old"
        assert path.read_bytes() == b"new"

    def test_an_exception_leaves_the_file_unchanged(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        with pytest.raises(TypeError), replacing(path) as file:
            file.writelines([b"half", "not bytes"])  # type: ignore[list-item]
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]
