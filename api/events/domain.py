"""The record of events."""

from __future__ import annotations

from api.events.handlers import JOBS
from api.kernel.container import KernelContainer
from api.kernel.domains import Domain

EVENTS = Domain[KernelContainer](name="events", jobs=JOBS)
