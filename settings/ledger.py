"""Settings of the coin ledger's batcher."""

from __future__ import annotations

from pydantic import Field

from settings.subject import Subject


class LedgerSettings(Subject):
    """How coin commands are sent to the database."""

    batch_max: int = Field(
        100, alias="ledger_batch_max", ge=1, le=1000, description="coin commands sent to the database in one batch"
    )
    queue_max: int = Field(
        10_000, alias="ledger_queue_max", ge=1, description="waiting coin commands before further ones get 503"
    )
    deadline_ms: int = Field(
        2000,
        alias="ledger_deadline_ms",
        ge=50,
        description="longest wait of a coin command for a locked row, milliseconds",
    )
