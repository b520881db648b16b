"""The record of the audit."""

from __future__ import annotations

from api.audit.routes import router
from api.auth.container import AuthContainer
from api.kernel.domains import Domain

AUDIT = Domain[AuthContainer](name="audit", routers=(router,))
