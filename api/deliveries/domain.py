"""The record of the domain deliveries."""

from __future__ import annotations

from api.deliveries.routes import router
from api.kernel.container import KernelContainer
from api.kernel.domains import Domain

DELIVERIES = Domain[KernelContainer](name="deliveries", routers=(router,))
