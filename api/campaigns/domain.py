"""The record of the domain campaigns."""

from __future__ import annotations

from api.campaigns import bulk_routes, coin_routes, member_routes, routes
from api.campaigns.attributes import routes as attribute_routes
from api.campaigns.handlers import JOBS, LOOPS
from api.campaigns.invitations import routes as invitation_routes
from api.campaigns.join_requests import routes as request_routes
from api.campaigns.member_lists import routes as list_routes
from api.coins.container import CoinsContainer
from api.kernel.domains import Domain

CAMPAIGNS = Domain[CoinsContainer](
    name="campaigns",
    routers=(
        routes.router,
        member_routes.router,
        coin_routes.router,
        bulk_routes.router,
        invitation_routes.router,
        list_routes.router,
        attribute_routes.router,
        request_routes.router,
    ),
    jobs=JOBS,
    background=LOOPS,
    body_bytes_max={
        bulk_routes.PATH: bulk_routes.BODY_BYTES_MAX,
        list_routes.PATH: list_routes.BODY_BYTES_MAX,
    },
)
