"""The record of the domain sharing."""

from __future__ import annotations

from api.kernel.container import KernelContainer
from api.kernel.domains import Domain
from api.sharing.routes import router

SHARING = Domain[KernelContainer](name="sharing", routers=(router,))
