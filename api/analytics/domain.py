"""The record of the domain analytics."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from importlib import import_module

from api.analytics.routes import router
from api.coins.container import CoinsContainer
from api.kernel.domains import Domain


def _renderer(_: CoinsContainer) -> AbstractAsyncContextManager[object]:
    """Imports what renders reports, which takes half a second, before the first request. Workers do not need it."""
    return nullcontext(import_module("pipelines.reports"))


ANALYTICS = Domain[CoinsContainer](name="analytics", routers=(router,), lifespan=_renderer)
