"""The store of uploaded files: a folder, and a bucket of a real S3 server."""

from __future__ import annotations

import os
import stat
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from api.kernel.s3_storage import S3Storage
from api.kernel.storage import FolderStorage, ObjectMissing, StorageUnavailable, make_storage, new_key
from settings import SettingsError
from tests.factories import s3_servers
from tests.factories.s3_servers import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.kernel.storage import StoragePort
    from settings import Settings

NEEDS_SERVER = pytest.mark.skipif(not s3_servers.is_possible(), reason="the S3 server is built with Go")
KINDS = [pytest.param("folder"), pytest.param("s3", marks=NEEDS_SERVER)]
LATER = timedelta(hours=1)


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def storage(request: pytest.FixtureRequest, database: Settings, tmp_path: Path) -> StoragePort:
    if request.param == "folder":
        return FolderStorage(tmp_path / "files")
    server: S3Server = request.getfixturevalue("s3_server")
    return S3Storage(server.settings(database).storage)


async def keys_before(storage: StoragePort, prefix: str, moment: datetime) -> list[str]:
    return sorted([key async for part in storage.list_before(prefix, moment) for key in part])


@pytest.mark.parametrize("storage", KINDS, indirect=True)
class TestStorage:
    async def test_returns_what_was_stored(self, storage: StoragePort) -> None:
        for data in (b"", b"a", bytes(range(256)) * 8192):
            key = new_key("tests")
            await storage.put(key, data)
            assert await storage.get(key) == data

    async def test_an_unknown_object_is_missing(self, storage: StoragePort) -> None:
        with pytest.raises(ObjectMissing):
            await storage.get(new_key("tests"))

    async def test_deletes_and_ignores_what_is_missing(self, storage: StoragePort) -> None:
        keys = [new_key("tests") for _ in range(3)]
        for key in keys[:2]:
            await storage.put(key, b"x")
        await storage.delete([])
        await storage.delete(keys[1:])
        await storage.delete(keys[1:])
        assert await storage.get(keys[0]) == b"x"
        with pytest.raises(ObjectMissing):
            await storage.get(keys[1])

    async def test_lists_what_was_stored_before_a_moment(self, storage: StoragePort) -> None:
        keys = [new_key("listed") for _ in range(3)]
        for key in keys:
            await storage.put(key, b"x")
        await storage.put(new_key("others"), b"x")
        now = datetime.now(UTC)
        assert await keys_before(storage, "listed", now + LATER) == sorted(keys)
        assert await keys_before(storage, "listed", now - LATER) == []
        assert await keys_before(storage, "nothing", now + LATER) == []
        await storage.delete(keys)
        assert await keys_before(storage, "listed", now + LATER) == []

    async def test_works(self, storage: StoragePort) -> None:
        await storage.check()


class TestNewKey:
    def test_is_random_and_below_its_prefix(self) -> None:
        keys = {new_key("attachments") for _ in range(1000)}
        assert len(keys) == 1000
        assert all(key.startswith("attachments/") for key in keys)


class TestFolderStorage:
    async def test_files_are_for_their_owner(self, tmp_path: Path) -> None:
        key = new_key("tests")
        await FolderStorage(tmp_path).put(key, b"x")
        assert stat.S_IMODE((tmp_path / key).stat().st_mode) == 0o600

    @pytest.mark.parametrize("key", ["../secrets", "/etc/passwd", "tests/../../x", "tests", "tests/ab/../../../x"])
    async def test_reads_nothing_outside(self, tmp_path: Path, key: str) -> None:
        with pytest.raises(AssertionError, match="not a key"):
            await FolderStorage(tmp_path).get(key)

    async def test_lists_what_a_killed_process_has_left(self, tmp_path: Path) -> None:
        storage, key = FolderStorage(tmp_path), new_key("tests")
        await storage.put(key, b"x")
        left = tmp_path / key
        hidden = left.with_name(f".{left.name}.0a1b2c3d")
        left.rename(hidden)
        (found,) = await keys_before(storage, "tests", datetime.now(UTC) + LATER)
        await storage.delete([found])
        assert not hidden.exists()

    async def test_reports_a_folder_that_does_not_work(self, tmp_path: Path) -> None:
        """A file is where the folder should be."""
        (tmp_path / "files").write_text("in the way")
        storage = FolderStorage(tmp_path / "files")
        with pytest.raises(StorageUnavailable):
            await storage.put(new_key("tests"), b"x")


@NEEDS_SERVER
class TestS3Storage:
    async def test_reports_a_server_that_does_not_respond(self, tmp_path: Path, database: Settings) -> None:
        server = S3Server(tmp_path)
        server.start()
        storage = S3Storage(server.settings(database, s3_timeout_s=1).storage)
        key = new_key("tests")
        await storage.put(key, b"x")
        server.stop()
        for call in (storage.put(key, b"y"), storage.get(key), storage.delete([key]), storage.check()):
            with pytest.raises(StorageUnavailable):
                await call
        server.start()
        assert await storage.get(key) == b"x"
        server.stop()

    async def test_reports_a_refused_key(self, s3_server: S3Server, database: Settings) -> None:
        storage = S3Storage(s3_server.settings(database, s3_secret_access_key="another").storage)
        for call in (storage.put(new_key("tests"), b"y"), storage.check()):
            with pytest.raises(StorageUnavailable) as refused:
                await call
            assert "another" not in refused.value.detail

    async def test_reports_a_missing_bucket(self, s3_server: S3Server, database: Settings) -> None:
        settings = s3_server.settings(database).with_(s3_bucket="nothing-here")
        with pytest.raises(StorageUnavailable):
            await S3Storage(settings.storage).put(new_key("tests"), b"y")

    async def test_objects_have_the_age_that_the_server_reports(self, s3_server: S3Server, database: Settings) -> None:
        storage, keys = S3Storage(s3_server.settings(database).storage), [new_key("aged") for _ in range(2)]
        for key in keys:
            await storage.put(key, b"x")
        s3_server.set_age(keys[0], 7200)
        assert await keys_before(storage, "aged", datetime.now(UTC) - LATER) == keys[:1]


class TestSettings:
    def test_a_folder_is_the_default(self, database: Settings) -> None:
        storage = make_storage(database)
        assert isinstance(storage, FolderStorage)

    def test_s3_needs_a_bucket_and_a_key(self, database: Settings) -> None:
        whole = {"storage": "s3", "s3_bucket": "uploads", "s3_access_key_id": "me", "s3_secret_access_key": "hidden"}
        assert isinstance(make_storage(database.with_(**whole)), S3Storage)
        for name in ("s3_bucket", "s3_access_key_id", "s3_secret_access_key"):
            with pytest.raises(SettingsError, match=f"IDEAMINT_{name.upper()}: empty, although"):
                database.with_(**{**whole, name: ""})

    @pytest.mark.parametrize(
        "endpoint", ["s3.example.org", "ftp://s3.example.org", "https://s3.example.org/bucket", "https://me@x.org"]
    )
    def test_an_endpoint_is_an_origin(self, database: Settings, endpoint: str) -> None:
        with pytest.raises(SettingsError, match="IDEAMINT_S3_ENDPOINT: not a URL"):
            database.with_(s3_endpoint=endpoint)


async def test_old_files_are_listed_by_their_time(tmp_path: Path) -> None:
    storage, keys = FolderStorage(tmp_path), [new_key("tests") for _ in range(2)]
    for key in keys:
        await storage.put(key, b"x")
    old = time.time() - 7200
    os.utime(tmp_path / keys[0], (old, old))
    assert await keys_before(storage, "tests", datetime.now(UTC) - LATER) == keys[:1]
