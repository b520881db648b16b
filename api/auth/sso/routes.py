"""Routes of the API for log-ins by providers. The pages that a browser opens are in `api.web.sign_on`."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from api.auth.container import ProvidedAccessTokens, ProvidedProviders
from api.auth.dependencies import client_of
from api.auth.errors import SignOnCodeInvalid
from api.auth.schemas import Tokens
from api.auth.sso.accounts import Account
from api.auth.sso.codes import use_code
from api.auth.sso.log_in import start_provider_session
from api.auth.sso.refusals import SignOnRefused
from api.auth.sso.schemas import ExchangeCode, SignOnProvider, SignOnProviders
from api.auth.token_responses import tokens_or_refusal
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.problems import refusal
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.web import Session
from api.kernel.web import router as new_router

router = new_router("/auth/sso", "auth")


@router.get("/providers", operation_id="listSignOnProviders", dependencies=[PUBLIC])
async def list_providers(settings: ProvidedSettings, providers: ProvidedProviders) -> SignOnProviders:
    """The identity providers by which users log in."""
    items = [
        SignOnProvider(name=each.name, label=each.settings.label, log_in_path=each.log_in_path) for each in providers
    ]
    return SignOnProviders(items=items, has_passwords=not settings.sso.only)


@router.post("/token", operation_id="exchangeSignOnCode", dependencies=[PUBLIC], response_model=Tokens)
@counts_as(RateClass.LOG_INS)
@raises(SignOnCodeInvalid)
async def exchange_code(
    request: Request,
    response: Response,
    session: Session,
    settings: ProvidedSettings,
    tokens: ProvidedAccessTokens,
    body: ExchangeCode,
) -> Any:
    """Exchange the code of a log-in by a provider for an access token and a refresh token.

    The program has opened `log_in_path` of a provider in the user's browser, with the parameters `redirect_uri` (an address
    on the user's machine, `http://127.0.0.1:PORT`), `code_challenge` (S256, RFC 7636) and `state`. A code is valid for a
    minute, and can be used once.
    """
    used = await use_code(session, body.code, body.code_verifier)
    if used is None:
        return refusal(request, SignOnCodeInvalid())
    try:
        issued = await start_provider_session(
            session,
            settings,
            Account(used.user, used.identity),
            kind="token",
            client=client_of(request, settings),
            provider=used.provider,
            provider_session=used.provider_session,
            encrypted_id_token=used.encrypted_id_token,
            has_second_factor=used.has_second_factor,
        )
    except SignOnRefused:  # deactivated
        return refusal(request, SignOnCodeInvalid())
    return await tokens_or_refusal(request, response, tokens, issued)
