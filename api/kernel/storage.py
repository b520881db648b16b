"""The store of uploaded files: a port, and its implementation by a folder. :mod:`api.kernel.s3_storage` has the one by S3.

A key is random, so that it discloses nothing and is never used twice. An object is stored before the transaction that
refers to it commits, and it is deleted only by the periodic job of the domain that owns its prefix, a day later at the
earliest. So a row never refers to a missing object.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from api.kernel.errors import DomainError
from settings.files import replace_file
from settings.storage import Storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from settings import Settings

Result = TypeVar("Result")

FOLDER = "files"
_KEY = re.compile(r"[a-z]+/[0-9a-f]{2}/\.?[0-9a-z.]+")
_LISTED_AT_ONCE = 500
_OWNER_ONLY = 0o600


class StorageUnavailable(DomainError):
    """The store of uploaded files does not work, or its disk is full."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "storage-unavailable"
    title = "Uploaded files are not available"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}

    def __init__(self) -> None:
        super().__init__("The store of uploaded files does not respond; try again shortly.")


class ObjectMissing(Exception):
    """The store has no object with this key."""


class StoragePort(Protocol):
    """What a store of files can do. Each method raises `StorageUnavailable` if the store does not work."""

    async def put(self, key: str, data: bytes) -> None:
        """Store an object durably; it is whole or missing."""

    async def get(self, key: str) -> bytes:
        """The object.

        Raises:
            ObjectMissing: there is none with this key.
        """

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; a missing one is ignored."""

    def list_before(self, prefix: str, moment: datetime) -> AsyncIterator[list[str]]:
        """The keys below a prefix whose objects were stored before a moment, in parts."""

    async def check(self) -> None:
        """Raise an error if the store cannot be read."""


def new_key(prefix: str) -> str:
    """A new random key below a prefix of lower-case letters."""
    name = secrets.token_hex(16)
    return f"{prefix}/{name[:2]}/{name}"


async def delete_unused(
    storage: StoragePort,
    prefix: str,
    before: datetime,
    find_used: Callable[[list[str]], Awaitable[Collection[str | None]]],
) -> int:
    """Delete objects that were stored before a moment and that no row names; returns how many.

    `find_used` returns those of the given keys that rows name.
    """
    deleted = 0
    async for keys in storage.list_before(prefix, before):
        used = await find_used(keys)
        unused = [key for key in keys if key not in used]
        await storage.delete(unused)
        deleted += len(unused)
    return deleted


def make_storage(settings: Settings) -> StoragePort:
    """The store that the settings name."""
    if settings.storage.kind is Storage.FOLDER:
        return FolderStorage(settings.paths.data_dir / FOLDER)
    from api.kernel.s3_storage import S3Storage  # its library takes 0.1 s to import

    return S3Storage(settings.storage)


class FolderStorage:
    """Objects as files of a folder, which is created with the first one."""

    def __init__(self, folder: Path) -> None:
        """Processes that share the objects have the same folder."""
        self._folder = folder

    async def put(self, key: str, data: bytes) -> None:
        """Store an object: written to a hidden file, synced and renamed."""
        await _in_thread(self._put, key, data)

    async def get(self, key: str) -> bytes:
        """The object.

        Raises:
            ObjectMissing: there is none with this key.
        """
        try:
            return await _in_thread(self._path(key).read_bytes)
        except FileNotFoundError:
            raise ObjectMissing(key) from None

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; a missing one is ignored."""
        await _in_thread(self._delete, keys)

    async def list_before(self, prefix: str, moment: datetime) -> AsyncIterator[list[str]]:
        """The keys below a prefix, also those of hidden files that a killed process has left."""
        keys = await _in_thread(lambda: sorted(self._keys_before(prefix, moment)))
        for start in range(0, len(keys), _LISTED_AT_ONCE):
            yield keys[start : start + _LISTED_AT_ONCE]

    async def check(self) -> None:
        """Raise an error if the folder exists and cannot be read or written."""
        if self._folder.exists() and not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise StorageUnavailable

    def _path(self, key: str) -> Path:
        assert _KEY.fullmatch(key), f"{key!r} is not a key"
        return self._folder / key

    def _put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data, mode=_OWNER_ONLY)

    def _delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    def _keys_before(self, prefix: str, moment: datetime) -> Iterable[str]:
        for path in (self._folder / prefix).glob("*/*"):
            try:
                changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            except FileNotFoundError:
                continue  # another worker has deleted it
            if changed_at < moment:
                yield path.relative_to(self._folder).as_posix()


async def _in_thread(work: Callable[..., Result], *arguments: Any) -> Result:
    try:
        return await asyncio.to_thread(work, *arguments)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageUnavailable from error
