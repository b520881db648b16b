"""The record of the domain analytics."""

from __future__ import annotations

from api.analytics.routes import router
from api.coins.container import CoinsContainer
from api.kernel.domains import Domain

ANALYTICS = Domain[CoinsContainer](name="analytics", routers=(router,))
