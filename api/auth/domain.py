"""The records of the domain auth."""

from __future__ import annotations

from api.auth.account_routes import router as account_router
from api.auth.api_tokens.routes import router as token_router
from api.auth.api_tokens.service_account_routes import router as service_account_router
from api.auth.container import AuthContainer
from api.auth.handlers import JOBS
from api.auth.key_set import router as key_set
from api.auth.rosters import routes as rosters
from api.auth.routes import router
from api.auth.second_factors.log_in_routes import router as step_router
from api.auth.second_factors.routes import router as factor_router
from api.auth.sso.identity_routes import router as identity_router
from api.auth.sso.routes import router as sso_router
from api.auth.user_routes import router as user_router
from api.kernel.domains import Domain

TOKENS = Domain[AuthContainer](name="tokens", lifespan=lambda container: container.access_tokens.followed())
"""What every process needs to check access tokens, whether it serves the routes of this domain or not."""

AUTH = Domain[AuthContainer](
    name="auth",
    routers=(
        router,
        account_router,
        factor_router,
        step_router,
        rosters.router,
        user_router,
        identity_router,
        sso_router,
        token_router,
        service_account_router,
    ),
    pages=(key_set,),
    body_bytes_max={rosters.PATH: rosters.BODY_BYTES_MAX},
    jobs=JOBS,
)
