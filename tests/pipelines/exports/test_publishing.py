"""A reader of `current` always sees a complete snapshot."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines import exports, marts
from pipelines.exports import Manifest, Staged, TableFile

if TYPE_CHECKING:
    from pathlib import Path


def staged(exports_dir: Path, number: int) -> Staged:
    """A staged snapshot whose files contain its number."""
    folder = exports_dir / f".staging-{number:06d}"
    folder.mkdir(parents=True)
    (folder / exports.DATABASE_FILE).write_text(str(number))
    manifest = Manifest(f"{number:06d}", datetime.now(UTC), 1, TableFile(exports.DATABASE_FILE, number, ""), {})
    manifest.write(folder)
    return Staged(folder, manifest)


class TestPublish:
    def test_readers_see_a_complete_snapshot_during_publications(self, tmp_path: Path) -> None:
        exports_dir = tmp_path / "exports"
        exports.publish(staged(exports_dir, 0))
        seen: set[str] = set()
        mixed: list[str] = []
        ended = threading.Event()

        def read() -> None:
            while not ended.is_set():
                snapshot = marts.published(tmp_path)
                number = str(int((snapshot.folder / exports.DATABASE_FILE).read_text())).zfill(6)
                seen.add(snapshot.id)
                if number != snapshot.id:
                    mixed.append(f"manifest of {snapshot.id}, file of {number}")

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(1, 60):
            exports.publish(staged(exports_dir, number))
        ended.set()
        for reader in readers:
            reader.join()

        assert mixed == []
        assert len(seen) > 1
        assert marts.published(tmp_path).id == "000059"

    def test_removes_the_refusal(self, tmp_path: Path) -> None:
        exports.note_refusal(tmp_path, ["a coin is missing"])
        refusal = exports.find_refusal(tmp_path)
        assert refusal is not None
        assert refusal.reasons == ("a coin is missing",)
        assert refusal.refused_at.tzinfo is not None

        exports.publish(staged(tmp_path, 1))

        assert exports.find_refusal(tmp_path) is None

    def test_another_refusal_keeps_the_time_of_the_first(self, tmp_path: Path) -> None:
        first = exports.note_refusal(tmp_path, ["a coin is missing"])
        exports.note_refusal(tmp_path, ["two coins are missing"])

        refusal = exports.find_refusal(tmp_path)

        assert refusal is not None
        assert refusal.since == first.refused_at
        assert refusal.refused_at > refusal.since
        assert refusal.reasons == ("two coins are missing",)

    def test_a_record_of_an_earlier_version_has_one_time(self, tmp_path: Path) -> None:
        (tmp_path / "refused.json").write_text('{"refused_at": "2026-06-30T04:00:00+00:00", "reasons": []}')

        refusal = exports.find_refusal(tmp_path)

        assert refusal is not None
        assert refusal.since == refusal.refused_at


class TestPrune:
    def test_keeps_the_newest_and_the_current_and_removes_interrupted_stagings(self, tmp_path: Path) -> None:
        for number in range(1, 8):
            exports.publish(staged(tmp_path, number))
        (tmp_path / "current").unlink()
        (tmp_path / "current").symlink_to("000002")
        staged(tmp_path, 99)
        (tmp_path / "other folder").mkdir()

        removed = exports.prune(tmp_path, keep=3)

        assert removed == ["000001", "000003", "000004", ".staging-000099"]
        assert exports.snapshots(tmp_path) == ["000002", "000005", "000006", "000007"]
        assert (tmp_path / "other folder").is_dir()

    def test_a_missing_folder_is_empty(self, tmp_path: Path) -> None:
        assert exports.prune(tmp_path / "missing") == []


class TestDiscard:
    def test_keeps_the_current_snapshot(self, tmp_path: Path) -> None:
        exports.publish(staged(tmp_path, 1))
        exports.discard(staged(tmp_path, 2))

        assert [path.name for path in sorted(tmp_path.iterdir())] == ["000001", "current"]
        assert json.loads((tmp_path / "current" / "manifest.json").read_text())["snapshot"] == "000001"
