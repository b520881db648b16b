"""The store of uploaded files by a bucket of an S3 server."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from api.kernel.storage import ObjectMissing, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from datetime import datetime

    from settings.storage import StorageSettings

_RETRIES_MAX = 2
_LISTED_AT_ONCE = 500


class S3Storage:
    """Objects in a bucket, with the log-in of the settings and no other."""

    def __init__(self, settings: StorageSettings) -> None:
        """No request is sent before the first use."""
        assert settings.s3_bucket is not None, "the settings require it"
        assert settings.s3_access_key_id is not None, "the settings require it"
        assert settings.s3_secret_access_key is not None, "the settings require it"
        timeout = timedelta(seconds=settings.s3_timeout_s)
        endpoint = {"endpoint": settings.s3_endpoint} if settings.s3_endpoint else {}
        self._store = S3Store(
            settings.s3_bucket,
            region=settings.s3_region,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=settings.s3_secret_access_key.get_secret_value(),
            client_options={
                "allow_http": bool(settings.s3_endpoint and settings.s3_endpoint.startswith("http:")),
                "timeout": timeout,
            },
            retry_config={"max_retries": _RETRIES_MAX, "retry_timeout": timeout},
            **endpoint,  # type: ignore[arg-type] # the type of one optional argument
        )

    async def put(self, key: str, data: bytes) -> None:
        """Store an object."""
        with _reported():
            await obstore.put_async(self._store, key, data)

    async def get(self, key: str) -> bytes:
        """The object.

        Raises:
            ObjectMissing: there is none with this key.
        """
        with _reported():
            try:
                found = await obstore.get_async(self._store, key)
            except (NotFoundError, FileNotFoundError):
                raise ObjectMissing(key) from None
            return bytes(await found.bytes_async())

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; a missing one is ignored."""
        if not keys:
            return
        with _reported():
            await obstore.delete_async(self._store, list(keys))

    async def list_before(self, prefix: str, moment: datetime) -> AsyncIterator[list[str]]:
        """The keys below a prefix whose objects were stored before a moment, in parts."""
        with _reported():
            async for part in obstore.list(self._store, f"{prefix}/", chunk_size=_LISTED_AT_ONCE):
                yield [each["path"] for each in part if each["last_modified"] < moment]

    async def check(self) -> None:
        """Raise an error if the bucket cannot be listed."""
        with _reported():
            async for _ in obstore.list(self._store, "check/", chunk_size=1):
                return


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise StorageUnavailable from error
