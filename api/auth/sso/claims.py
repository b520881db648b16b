"""What the claims of a provider say about a person, by the settings of the provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.auth.errors import BadEmail
from api.auth.service import NAME_LENGTH_MAX, check_email
from api.kernel.texts import single_line

if TYPE_CHECKING:
    from settings.sso import SsoProvider

_CLAIMS_ELSEWHERE = "_claim_names"


@dataclass(frozen=True)
class Person:
    """A person at a provider; None for what its claims do not say.

    Attributes:
        subject: the provider's id of the person, which never changes.
        email: the address; `has_verified_email` if the provider has confirmed it.
        roles: the system roles by the settings' mapping, or None if it says nothing about them.
    """

    subject: str
    email: str | None
    has_verified_email: bool
    name: str | None
    department: str | None
    roles: frozenset[str] | None


def has_second_factor(settings: SsoProvider, id_token: Mapping[str, Any]) -> bool:
    """Whether the provider has asked for a second factor, by `amr` or `acr` of its ID token (RFC 8176; Core 1.0, section 2)."""
    if not settings.second_factors:
        return True
    methods, level = id_token.get("amr"), id_token.get("acr")
    shown = [level, *(methods if isinstance(methods, list) else [])]
    return any(each in settings.second_factors for each in shown if isinstance(each, str))


def is_complete(settings: SsoProvider, claims: Mapping[str, Any]) -> bool:
    """Whether the claims have everything that the settings use."""
    wanted = ("email", settings.name_claim, settings.department_claim, settings.roles_claim)
    return all(name in claims for name in wanted if name is not None)


def read_person(settings: SsoProvider, claims: Mapping[str, Any]) -> Person:
    """The person with these claims. A value that cannot be stored counts as missing."""
    email = _email(claims.get("email"))
    verified = claims.get("email_verified", settings.emails_are_verified)
    return Person(
        subject=claims["sub"],
        email=email,
        has_verified_email=email is not None and (verified is True or verified == "true"),
        name=_line(claims.get(settings.name_claim)) or _full_name(claims),
        department=_line(claims.get(settings.department_claim)) if settings.department_claim else None,
        roles=_roles(settings, claims),
    )


def _full_name(claims: Mapping[str, Any]) -> str | None:
    parts = (_line(claims.get("given_name")), _line(claims.get("family_name")))
    return _line(" ".join(part for part in parts if part))


def _roles(settings: SsoProvider, claims: Mapping[str, Any]) -> frozenset[str] | None:
    """The mapped roles; a missing claim is that of a person in no group."""
    if settings.roles_claim is None:
        return None
    elsewhere = claims.get(_CLAIMS_ELSEWHERE)
    if isinstance(elsewhere, dict) and settings.roles_claim in elsewhere:
        return None  # too many groups for a token: what they are is not known
    value = claims.get(settings.roles_claim)
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(settings.roles[text] for text in texts if isinstance(text, str) and text in settings.roles)


def _email(value: object) -> str | None:
    try:
        return check_email(value) if isinstance(value, str) else None
    except BadEmail:
        return None


def _line(value: object) -> str | None:
    try:
        line = single_line(value) if isinstance(value, str) else ""
    except ValueError:
        return None
    return line if 1 <= len(line) <= NAME_LENGTH_MAX else None
