"""Settings of sign-on by OpenID Connect: the identity providers, and whether they are the only way to log in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from settings.rates import Rate, RateLimit
from settings.subject import PREFIX, Subject

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SsoProvider(BaseModel):
    """An identity provider, and what its claims mean here."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, str_min_length=1, str_max_length=500)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$", description="lower-case letters, digits and -; part of URLs")
    label: str = Field(max_length=60, description="the name on the button of the log-in page")
    issuer: str = Field(description="the provider's https URL, exactly as in its metadata")
    client_id: str
    client_secret: SecretStr | None = Field(
        None, repr=False, description="or client_secret_file; none: a public client"
    )
    scopes: tuple[str, ...] = Field(("openid", "profile", "email"), strict=False)
    name_claim: str = Field("name", description="claim with the name of the person")
    department_claim: str | None = Field(None, description="claim with the department of the person")
    roles_claim: str | None = Field(None, description="claim with a list of texts, such as groups")
    roles: dict[str, str] = Field({}, description="the system role of each text in roles_claim")
    allowed_domains: tuple[str, ...] = Field((), strict=False, description="domains of addresses; empty: all")
    creates_accounts: bool | None = Field(
        None, description="whether a first log-in creates an account; by default if the address may register"
    )
    emails_are_verified: bool = Field(
        default=False, description="whether addresses without the claim email_verified count as verified"
    )
    second_factors: tuple[str, ...] = Field(
        (),
        strict=False,
        description="values of the claims amr and acr that show a second factor; empty: every log-in counts as one with it",
    )
    acr_values: tuple[str, ...] = Field(
        (), strict=False, description="classes of log-ins that the provider is asked for"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_secret(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "client_secret_file" not in values:
            return values
        rest = {name: value for name, value in values.items() if name != "client_secret_file"}
        if "client_secret" in rest:
            msg = "client_secret and client_secret_file are both given; expected: one of them"
            raise ValueError(msg)
        path = values["client_secret_file"]
        try:
            return rest | {"client_secret": Path(path).read_text(encoding="utf-8").rstrip("\r\n")}
        except (OSError, TypeError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            msg = f"client_secret_file: {path}: {reason}"
            raise ValueError(msg) from error

    @field_validator("issuer")
    @classmethod
    def _is_secure(cls, value: str) -> str:
        parts = urlsplit(value)
        is_local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or is_local) or parts.query or parts.fragment:
            msg = "not an https URL without a query (http only for this machine)"
            raise ValueError(msg)
        return value

    @field_validator("scopes")
    @classmethod
    def _includes_openid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            msg = "must include openid"
            raise ValueError(msg)
        return value

    @field_validator("allowed_domains")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(domain.strip().lower().removeprefix("@") for domain in value)

    @model_validator(mode="after")
    def _roles_have_a_claim(self) -> SsoProvider:
        if bool(self.roles) != bool(self.roles_claim):
            msg = "roles and roles_claim are given both or neither"
            raise ValueError(msg)
        return self


def _read_providers(value: Any) -> Any:
    """The providers from a JSON list; messages name the provider and the field, and no value.

    Raises:
        ValueError: the text is not a JSON list of providers.
    """
    if not isinstance(value, str):
        return value
    try:
        listed = json.loads(value) if value.strip() else []
    except ValueError as error:
        msg = f"not JSON: {error}"
        raise ValueError(msg) from error
    if not isinstance(listed, list):
        msg = "not a JSON list"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports a ValueError
    providers = []
    for number, each in enumerate(listed, 1):
        try:
            providers.append(SsoProvider.model_validate(each))
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(str(part) for part in problem["loc"])
            reason = problem["msg"].removeprefix("Value error, ")
            msg = f"provider {number}: {place + ': ' if place else ''}{reason}"
            raise ValueError(msg) from error
    return tuple(providers)


class SsoSettings(Subject):
    """The identity providers, and the log-ins without them."""

    providers: Annotated[tuple[SsoProvider, ...], BeforeValidator(_read_providers)] = Field(
        (),
        alias="sso_providers",
        repr=False,
        description="a JSON list of OpenID Connect providers (docs/sign-on.md)",
    )
    only: bool = Field(
        default=False,
        alias="sso_only",
        description="refuse log-in by password, registration and new passwords, except for the emergency account",
    )
    emergency_email: str | None = Field(
        None, alias="sso_emergency_email", description="address of the account that may log in by password nevertheless"
    )
    log_ins_per_address: RateLimit = Field(
        Rate(600, "hour"),
        alias="sso_log_ins_per_address",
        description="log-ins by providers from one network address, such as 600/hour, or off",
    )

    @field_validator("providers")
    @classmethod
    def _differ(cls, value: tuple[SsoProvider, ...]) -> tuple[SsoProvider, ...]:
        for what in ("name", "issuer"):
            given = [getattr(provider, what) for provider in value]
            if len(set(given)) < len(given):
                msg = f"two providers have the same {what}"
                raise ValueError(msg)
        return value

    @field_validator("only")
    @classmethod
    def _needs_a_provider(cls, value: bool, others: ValidationInfo) -> bool:  # noqa: FBT001 - a field's validator
        if value and others.data.get("providers", "invalid") == ():
            msg = f"needs a provider in {PREFIX}SSO_PROVIDERS"
            raise ValueError(msg)
        return value

    def allows_password(self, email: str | None) -> bool:
        """Whether the account with this address may use a password."""
        if not self.only:
            return True
        is_emergency = email is not None and self.emergency_email is not None
        return is_emergency and email.casefold() == self.emergency_email.casefold()  # type: ignore[union-attr]
