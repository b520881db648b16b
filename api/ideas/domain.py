"""The record of the domain ideas."""

from __future__ import annotations

from api.coins.container import CoinsContainer
from api.ideas import approval_routes, campaign_routes, draft_routes, routes, tag_routes, version_routes
from api.ideas.exports import routes as export_routes
from api.ideas.exports.handlers import JOBS
from api.ideas.handlers import LOOPS
from api.kernel.domains import Domain

IDEAS = Domain[CoinsContainer](
    name="ideas",
    routers=(
        campaign_routes.router,
        routes.router,
        draft_routes.router,
        version_routes.router,
        tag_routes.router,
        approval_routes.router,
        export_routes.router,
    ),
    background=LOOPS,
    jobs=JOBS,
)
