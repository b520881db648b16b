"""The job queue: the schema of procrastinate 3.10, whose arguments are ids only.

Revision ID: 1008
"""

from __future__ import annotations

from api.migrations import job_queue, statements

revision = "1008"
down_revision = "1007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The package's files, then our own constraint in the file of the same name."""
    job_queue.upgrade(until="03.10.00")
    statements.run_version("1008_jobs")


def downgrade() -> None:
    """Drop the schema, unless it contains waiting jobs."""
    job_queue.drop()
