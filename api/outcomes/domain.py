"""The record of the domain outcomes."""

from __future__ import annotations

from api.kernel.container import KernelContainer
from api.kernel.domains import Domain
from api.outcomes.routes import router

OUTCOMES = Domain[KernelContainer](name="outcomes", routers=(router,))
