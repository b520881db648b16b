"""The record of the domain ideas."""

from __future__ import annotations

from api.ideas import approval_routes, campaign_routes, draft_routes, merge_routes, routes, tag_routes, version_routes
from api.ideas.container import IdeasContainer
from api.ideas.exports import routes as export_routes
from api.ideas.exports.handlers import JOBS
from api.ideas.handlers import LOOPS
from api.ideas.lists import filter_routes, view_routes
from api.kernel.domains import Domain

IDEAS = Domain[IdeasContainer](
    name="ideas",
    routers=(
        filter_routes.router,  # read most often: the routes before it are compared first
        campaign_routes.router,
        routes.router,
        draft_routes.router,
        version_routes.router,
        tag_routes.router,
        approval_routes.router,
        merge_routes.router,
        view_routes.router,
        export_routes.router,
    ),
    background=LOOPS,
    jobs=JOBS,
)
