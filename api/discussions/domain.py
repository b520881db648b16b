"""The record of the domain discussions."""

from __future__ import annotations

from api.discussions import follower_routes, routes
from api.kernel.container import KernelContainer
from api.kernel.domains import Domain

DISCUSSIONS = Domain[KernelContainer](name="discussions", routers=(routes.router, follower_routes.router))
