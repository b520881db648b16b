"""The record of the kernel."""

from __future__ import annotations

from api.kernel.container import KernelContainer
from api.kernel.domains import Domain
from api.kernel.handlers import JOBS

KERNEL = Domain[KernelContainer](name="kernel", jobs=JOBS)
