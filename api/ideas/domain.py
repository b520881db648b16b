"""The record of the domain ideas."""

from __future__ import annotations

from api.coins.container import CoinsContainer
from api.ideas.handlers import LOOPS
from api.ideas.routes import router
from api.kernel.domains import Domain

IDEAS = Domain[CoinsContainer](name="ideas", routers=(router,), background=LOOPS)
