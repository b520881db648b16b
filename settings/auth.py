"""Settings of accounts, sessions and tokens."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from settings.subject import Subject

SECRET_LENGTH_MIN = 32
ACCESS_TOKEN_TTL_MAX_S = 3600


class Registration(StrEnum):
    """Who may create an account for themselves."""

    OPEN = "open"
    DOMAINS = "domains"
    INVITATION = "invitation"


class AuthSettings(Subject):
    """Registration, and the validity of sessions and tokens."""

    jwt_secret: SecretStr | None = Field(
        None, repr=False, description=f"at least {SECRET_LENGTH_MIN} characters; signs access tokens"
    )
    registration: Registration = Field(
        Registration.OPEN,
        description="who may register: open (anyone), domains (addresses of the registration domains), or invitation (who "
        "was invited); in production invitation",
    )
    registration_domains: tuple[str, ...] = Field(
        (),
        validate_default=True,
        description="domains whose addresses may register, such as example.org, comma separated",
    )
    access_token_ttl_s: int = Field(
        900, ge=60, le=ACCESS_TOKEN_TTL_MAX_S, description="lifetime of an access token, seconds"
    )
    refresh_token_ttl_s: int = Field(30 * 86400, ge=3600, description="lifetime of a refresh token, seconds")
    refresh_grace_s: int = Field(
        10,
        ge=0,
        le=60,
        description="time after the use of a refresh token in which a second use is refused but does not end the session, "
        "seconds",
    )
    session_ttl_s: int = Field(90 * 86400, ge=3600, description="maximum lifetime of a session, seconds")
    sessions_per_user_max: int = Field(
        10, ge=1, le=1000, description="concurrent sessions of a user; a further log-in ends the oldest"
    )
    api_token_days_max: int = Field(
        365, ge=1, le=365, description="lifetime of an API token by default and at most, days"
    )
    campaign_invitation_days: int = Field(
        14, ge=1, le=365, description="how long the link of an invitation to a campaign is valid, days"
    )
    secure_cookies: bool = Field(default=False, description="send the dashboards' cookie over HTTPS only")
    administrators_need_second_factor: bool = Field(
        default=False,
        description="system administrators have no system rights until they have logged in with a second factor",
    )
    earlier_passwords_refused: int = Field(
        0, ge=0, le=24, description="a new password must differ from so many of the user's earlier ones; 0: no rule"
    )
    password_hashes_at_once: int = Field(2, ge=1, le=16, description="argon2id computations in parallel per process")

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SECRET_LENGTH_MIN:
            msg = f"shorter than {SECRET_LENGTH_MIN} characters; `openssl rand -hex 32` generates one"
            raise ValueError(msg)
        return value

    @field_validator("registration_domains", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @field_validator("registration_domains")
    @classmethod
    def _some_domain(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value and info.data.get("registration") is Registration.DOMAINS:
            msg = "empty, although the setting registration is domains"
            raise ValueError(msg)
        for domain in value:
            if "@" in domain or "." not in domain:
                msg = f"{domain!r} is no domain"
                raise ValueError(msg)
        return tuple(domain.lower() for domain in value)

    def may_register(self, email: str) -> bool:
        """Whether somebody with this address may create an account for themselves."""
        if self.registration is Registration.DOMAINS:
            return email.rpartition("@")[2].lower() in self.registration_domains
        return self.registration is Registration.OPEN

    @property
    def signing_secret(self) -> bytes:
        """The key for all signatures of this installation."""
        assert self.jwt_secret is not None, "settings.load() generates one, and production requires one"
        return self.jwt_secret.get_secret_value().encode()
