"""The record of the domain auth."""

from __future__ import annotations

from api.auth.container import AuthContainer
from api.auth.handlers import JOBS
from api.auth.routes import router
from api.kernel.domains import Domain

AUTH = Domain[AuthContainer](name="auth", routers=(router,), jobs=JOBS)
