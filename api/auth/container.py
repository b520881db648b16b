"""The container of the domain auth: the objects for accounts and log-ins that a process makes once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from api.auth.passwords import Passwords
from api.auth.rates import MailRates, RegistrationRates
from api.auth.sso.providers import Providers
from api.auth.sso.rates import SignOnRates
from api.auth.throttle import LogInDelays
from api.auth.tokens import AccessTokens
from api.kernel.container import KernelContainer, provided


@dataclass(frozen=True, kw_only=True)
class AuthContainer(KernelContainer):
    """Adds the objects that verify tokens and passwords."""

    access_tokens: AccessTokens
    passwords: Passwords
    log_in_delays: LogInDelays
    registration_rates: RegistrationRates
    mail_rates: MailRates
    providers: Providers
    sign_on_rates: SignOnRates

    async def close(self) -> None:
        """Close connections."""
        await self.log_in_delays.close()
        await super().close()


ProvidedAccessTokens = Annotated[
    AccessTokens, Depends(provided(AuthContainer, lambda container: container.access_tokens))
]
ProvidedPasswords = Annotated[Passwords, Depends(provided(AuthContainer, lambda container: container.passwords))]
ProvidedLogInDelays = Annotated[
    LogInDelays, Depends(provided(AuthContainer, lambda container: container.log_in_delays))
]
ProvidedRegistrationRates = Annotated[
    RegistrationRates, Depends(provided(AuthContainer, lambda container: container.registration_rates))
]
ProvidedMailRates = Annotated[MailRates, Depends(provided(AuthContainer, lambda container: container.mail_rates))]
ProvidedProviders = Annotated[Providers, Depends(provided(AuthContainer, lambda container: container.providers))]
ProvidedSignOnRates = Annotated[
    SignOnRates, Depends(provided(AuthContainer, lambda container: container.sign_on_rates))
]
