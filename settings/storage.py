"""Settings of stored files: where they are, and the limits of uploads."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from settings.subject import Subject


class Storage(StrEnum):
    """Where uploaded files are stored."""

    FOLDER = "folder"
    S3 = "s3"


class StorageSettings(Subject):
    """The store of uploaded files, and the limits of uploads."""

    kind: Storage = Field(
        Storage.FOLDER,
        alias="storage",
        description="where uploaded files are stored: folder (files under the data folder), or s3 (a bucket)",
    )
    s3_endpoint: str | None = Field(
        None,
        description="URL of the S3 server without a path, such as https://s3.example.org; empty: that of the region at "
        "Amazon",
    )
    s3_region: str = Field("us-east-1", min_length=1, description="region of the bucket")
    s3_access_key_id: str | None = Field(None, validate_default=True, description="id of the access key of the bucket")
    s3_secret_access_key: SecretStr | None = Field(
        None, validate_default=True, repr=False, description="the secret access key"
    )
    s3_bucket: str | None = Field(
        None,
        validate_default=True,
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="name of the bucket, which must exist",
    )
    s3_timeout_s: int = Field(30, ge=1, le=300, description="longest duration of one request to the S3 server, seconds")
    upload_bytes_max: int = Field(10 * 1_048_576, ge=1024, le=100 * 1_048_576, description="largest upload, bytes")
    picture_pixels_max: int = Field(
        40_000_000, ge=10_000, le=200_000_000, description="largest picture that is read, in pixels (width x height)"
    )
    pictures_at_once: int = Field(
        2, ge=1, le=16, description="uploads that one process examines and converts at the same time"
    )

    @field_validator("s3_endpoint")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.username:
            msg = "not a URL of the form https://host:port"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("s3_access_key_id", "s3_secret_access_key", "s3_bucket")
    @classmethod
    def _complete(cls, value: str | SecretStr | None, info: ValidationInfo) -> str | SecretStr | None:
        if not value and info.data.get("kind") is Storage.S3:
            msg = "empty, although the setting storage is s3"
            raise ValueError(msg)
        return value
