"""Every domain's tables in one metadata; for Alembic only."""

from __future__ import annotations

import api.auth.models
import api.campaigns.models
import api.ideas.models
import api.kernel.idempotency
from api.kernel.db import Model

__all__ = ["Model"]
