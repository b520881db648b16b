"""The record of the domain todo."""

from __future__ import annotations

from api.kernel.container import KernelContainer
from api.kernel.domains import Domain
from api.todo.routes import router

TODO = Domain[KernelContainer](name="todo", routers=(router,))
