"""The record of the domain auth."""

from __future__ import annotations

from api.auth.account_routes import router as account_router
from api.auth.container import AuthContainer
from api.auth.handlers import JOBS
from api.auth.key_set import router as key_set
from api.auth.rosters import routes as rosters
from api.auth.routes import router
from api.auth.sso.identity_routes import router as identity_router
from api.auth.sso.routes import router as sso_router
from api.auth.user_routes import router as user_router
from api.kernel.domains import Domain

AUTH = Domain[AuthContainer](
    name="auth",
    routers=(router, account_router, rosters.router, user_router, identity_router, sso_router),
    pages=(key_set,),
    lifespan=lambda container: container.access_tokens.followed(),
    body_bytes_max={rosters.PATH: rosters.BODY_BYTES_MAX},
    jobs=JOBS,
)
