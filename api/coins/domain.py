"""The record of the domain coins."""

from __future__ import annotations

from starlette.middleware import Middleware

from api.coins.background import LOOPS
from api.coins.commands.batcher import Batcher
from api.coins.commands.fast_path import FastPath
from api.coins.container import CoinsContainer
from api.coins.routes import router
from api.kernel.domains import Domain
from api.kernel.web import API_PREFIX


def _fast_path(container: CoinsContainer) -> tuple[Middleware, ...]:
    return (
        Middleware(
            FastPath, prefix=API_PREFIX, access_tokens=container.access_tokens, commands=container.member_commands
        ),
    )


def _batcher(container: CoinsContainer) -> Batcher:
    return container.batcher


COINS = Domain[CoinsContainer](
    name="coins", routers=(router,), middleware=_fast_path, lifespan=_batcher, background=LOOPS
)
