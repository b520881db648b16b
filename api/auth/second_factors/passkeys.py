"""Passkeys (WebAuthn): keys in a user's device or password manager, bound to the address of this installation.

A passkey with user verification (PIN, finger, face) is two factors in one, and cannot be used on another site. It is
verified for the host and origin of `IDEAMINT_PUBLIC_API_URL`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import delete, select
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from api.auth.models import User
from api.auth.second_factors.challenges import lock_for_log_in
from api.auth.second_factors.errors import FactorExists, PasskeyInvalid, PasskeyRefused
from api.auth.second_factors.models import Passkey
from api.kernel import clock
from api.kernel.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from settings import Settings

RESPONSE_LENGTH_MAX = 20_000
PASSKEYS_MAX = 20
CREDENTIAL_ID_BYTES_MAX = 1023  # WebAuthn, 4
_CREDENTIAL_ID_LENGTH_MAX = 1400  # the same in base64


def registration_options(
    settings: Settings, user: User, present: Sequence[Passkey], challenge: bytes
) -> dict[str, Any]:
    """What the browser needs to create a passkey: `PublicKeyCredentialCreationOptionsJSON`."""
    options = generate_registration_options(
        rp_id=_host(settings),
        rp_name=settings.mail.sender.name,
        user_id=user.id.bytes,
        user_name=user.email or user.display_name,
        user_display_name=user.display_name,
        challenge=challenge,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each.credential_id) for each in present],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    return _as_json(options_to_json(options))


def log_in_options(settings: Settings, present: Sequence[Passkey], challenge: bytes) -> dict[str, Any]:
    """What the browser needs to use a passkey: `PublicKeyCredentialRequestOptionsJSON`. `present` may be empty."""
    options = generate_authentication_options(
        rp_id=_host(settings),
        challenge=challenge,
        allow_credentials=[PublicKeyCredentialDescriptor(id=each.credential_id) for each in present],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _as_json(options_to_json(options))


async def add(
    session: AsyncSession, settings: Settings, user_id: UUID, *, name: str, response: dict[str, Any], challenge: bytes
) -> Passkey:
    """Store the passkey that the browser has created.

    Raises:
        PasskeyInvalid: the response does not fit the challenge or this site, or its user was not verified.
        FactorExists: the passkey is stored already, or the user has the most passkeys that are possible.
    """
    try:
        verified = verify_registration_response(
            credential=_bounded(response),
            expected_challenge=challenge,
            expected_rp_id=_host(settings),
            expected_origin=_origin(settings),
            require_user_verification=True,
        )
        decoded_public_key_to_cryptography(decode_credential_public_key(verified.credential_public_key))
    except Exception as error:  # the library raises many kinds of errors for malformed input
        raise PasskeyInvalid from error
    if len(verified.credential_id) > CREDENTIAL_ID_BYTES_MAX:
        raise PasskeyInvalid
    if len(await of_user(session, user_id)) >= PASSKEYS_MAX:
        msg = f"An account has at most {PASSKEYS_MAX} passkeys; remove one first."
        raise FactorExists(msg)
    if await session.scalar(select(Passkey.id).where(Passkey.credential_id == verified.credential_id)) is not None:
        msg = "This passkey was added before."
        raise FactorExists(msg)
    passkey = Passkey(
        user_id=user_id,
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        name=name,
    )
    session.add(passkey)
    await session.flush()
    return passkey


async def use(session: AsyncSession, settings: Settings, *, response: dict[str, Any], challenge: bytes) -> Passkey:
    """The passkey that has signed the challenge, locked.

    Raises:
        PasskeyRefused: no known passkey has, or the copy of a device is used (its counter went back).
    """
    found = select(Passkey).where(Passkey.credential_id == _credential_id(response))
    owner_id = await session.scalar(found.with_only_columns(Passkey.user_id))
    # users are locked before their passkeys
    if owner_id is None or await lock_for_log_in(session, owner_id) is None:
        raise PasskeyRefused
    passkey = await session.scalar(found.with_for_update().execution_options(populate_existing=True))
    if passkey is None:
        raise PasskeyRefused
    try:
        verified = verify_authentication_response(
            credential=_bounded(response),
            expected_challenge=challenge,
            expected_rp_id=_host(settings),
            expected_origin=_origin(settings),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except Exception as error:  # the library raises many kinds of errors for malformed input
        raise PasskeyRefused from error
    passkey.sign_count, passkey.last_used_at = verified.new_sign_count, clock.now()
    await session.flush()
    return passkey


async def of_user(session: AsyncSession, user_id: UUID) -> Sequence[Passkey]:
    """The passkeys of a user, the oldest first."""
    return (await session.scalars(select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id))).all()


async def remove(session: AsyncSession, user_id: UUID, passkey_id: UUID) -> None:
    """Remove a passkey.

    Raises:
        NotFound: the user has no such passkey.
    """
    removed = await session.scalar(
        delete(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id).returning(Passkey.id)
    )
    if removed is None:
        msg = f"You have no passkey {passkey_id}."
        raise NotFound(msg)


async def remove_all(session: AsyncSession, user_id: UUID) -> int:
    """Remove the passkeys of a user; returns how many."""
    return len((await session.scalars(delete(Passkey).where(Passkey.user_id == user_id).returning(Passkey.id))).all())


def _host(settings: Settings) -> str:
    host = urlsplit(settings.addresses.public_api_url).hostname
    assert host, "a setting that is checked at start"
    return host


def _origin(settings: Settings) -> str:
    url = urlsplit(settings.addresses.public_api_url)
    return f"{url.scheme}://{url.netloc}"


def _credential_id(response: dict[str, Any]) -> bytes:
    written = response.get("id")
    if not isinstance(written, str) or len(written) > _CREDENTIAL_ID_LENGTH_MAX:
        raise PasskeyRefused
    try:
        return base64url_to_bytes(written)
    except ValueError as error:
        raise PasskeyRefused from error


def _bounded(response: dict[str, Any]) -> str:
    """The response as JSON.

    Raises:
        ValueError: it is longer than any passkey's.
    """
    written = json.dumps(response)
    if len(written) > RESPONSE_LENGTH_MAX:
        msg = f"longer than {RESPONSE_LENGTH_MAX} characters"
        raise ValueError(msg)
    return written


def _as_json(options: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(options)
    return document
