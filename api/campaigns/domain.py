"""The record of the domain campaigns."""

from __future__ import annotations

from api.campaigns import bulk_routes, coin_routes, routes
from api.campaigns.handlers import LOOPS
from api.coins.container import CoinsContainer
from api.kernel.domains import Domain

CAMPAIGNS = Domain[CoinsContainer](
    name="campaigns",
    routers=(routes.router, coin_routes.router, bulk_routes.router),
    background=LOOPS,
    body_bytes_max={bulk_routes.PATH: bulk_routes.BODY_BYTES_MAX},
)
