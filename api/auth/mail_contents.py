"""The mails about accounts, from what was ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from api.auth import mails
from api.auth.account_mails import LINK_TTL, Purpose
from api.auth.lifecycle import DELETED_KEPT
from api.auth.second_factors import challenges
from api.kernel.mail_templates import UTC_ZONE, MailContent, render
from settings.mail import Language

if TYPE_CHECKING:
    from api.auth.account_mails import Prepared
    from api.kernel.mail import Mail
    from settings import Settings


def write_mail(settings: Settings, prepared: Prepared) -> Mail:
    """The mail in the user's language and time zone; a language of a later version is not known here."""
    user = prepared.user
    return render(
        _content(settings, prepared),
        to=prepared.to,
        language=Language(user.language) if user.language in set(Language) else settings.mail.language,
        time_zone=user.time_zone or UTC_ZONE,
        key=str(prepared.id),
    )


def _content(settings: Settings, prepared: Prepared) -> MailContent:
    if prepared.purpose is Purpose.LOG_IN_CODE:
        assert prepared.secret is not None
        return mails.LogInCode(
            name=prepared.user.display_name,
            at=prepared.created_at,
            code=prepared.secret,
            valid_minutes=int(challenges.TTL.total_seconds()) // 60,
        )
    if prepared.secret is not None:
        return _with_link(settings, prepared, prepared.secret)
    name, at = prepared.user.display_name, prepared.created_at
    reset_link = _url(settings, "forgot-password")
    contents: dict[Purpose, MailContent] = {
        Purpose.REGISTRATION_REPEATED: mails.RegistrationRepeated(
            name=name, log_in_link=_url(settings, "login"), reset_link=reset_link
        ),
        Purpose.PASSWORD_CHANGED: mails.PasswordChanged(name=name, at=at, reset_link=reset_link),
        Purpose.ADDRESS_CHANGED: mails.AddressChanged(
            name=name, new_address_masked=mask_address(prepared.user.email or ""), at=at
        ),
        Purpose.SESSION_ENDED_BY_REUSE: mails.SessionEndedByReuse(name=name, at=at),
        Purpose.LOG_INS_DELAYED: mails.LogInsDelayed(name=name, at=at, reset_link=reset_link),
        Purpose.FACTORS_CHANGED: mails.FactorsChanged(name=name, at=at, security_link=_url(settings, "account")),
        Purpose.IDENTITY_LINKED: mails.IdentityLinked(name=name, at=at, security_link=_url(settings, "account")),
        Purpose.FACTOR_RESET: mails.FactorReset(name=name, at=at),
        Purpose.ACCOUNT_DELETED: mails.AccountDeleted(name=name, at=at, kept_days=DELETED_KEPT.days),
        Purpose.ACCOUNT_DEACTIVATED: mails.AccountDeactivated(name=name, at=at),
    }
    return contents[prepared.purpose]


def _with_link(settings: Settings, prepared: Prepared, secret: str) -> MailContent:
    name = prepared.user.display_name
    valid_s = int(LINK_TTL[prepared.purpose].total_seconds())
    if prepared.purpose is Purpose.INVITED:
        link = f"{_url(settings, 'invitation')}?{urlencode({'token': secret})}"
        return mails.Invited(link=link, inviter_name=prepared.inviter_name, valid_days=valid_s // 86400)
    page = "reset-password" if prepared.purpose is Purpose.RESET_PASSWORD else "verify-email"
    link = f"{_url(settings, page)}?{urlencode({'token': secret})}"
    if prepared.purpose is Purpose.RESET_PASSWORD:
        return mails.ResetPassword(name=name, link=link, valid_minutes=valid_s // 60)
    if prepared.purpose is Purpose.CONFIRM_NEW_ADDRESS:
        return mails.ConfirmNewAddress(name=name, new_address=prepared.to, link=link, valid_hours=valid_s // 3600)
    return mails.VerifyAddress(name=name, link=link, valid_hours=valid_s // 3600)


def mask_address(email: str) -> str:
    """An address of which only the first character and the domain are shown: `a***@example.org`."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}***@{domain}"


def _url(settings: Settings, page: str) -> str:
    """The address of a page."""
    return settings.addresses.public_url(f"/{page}")
