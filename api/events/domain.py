"""The record of events."""

from __future__ import annotations

from api.events.handlers import JOBS
from api.events.refusals import recording
from api.kernel.container import KernelContainer
from api.kernel.domains import Domain

EVENTS = Domain[KernelContainer](name="events", lifespan=recording, jobs=JOBS)
