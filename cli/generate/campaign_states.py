"""Write docs/campaign-states.md from the code, or check it: `python -m cli.generate.campaign_states [--check] FILE`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from api.campaigns.lifecycle import ALLOWED, TARGETS, CampaignStatus, Command, Phase, phases_of
from cli.generate.files import write_or_check

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# States of a campaign

Generated from `api/campaigns/lifecycle.py` by `make docs`; [campaigns.md](campaigns.md) describes the rules. A campaign has a
status, which is stored, and a phase, which follows from the status, the dates and the time.
"""
_BY_WORKER = (
    (CampaignStatus.ACTIVE, CampaignStatus.CLOSED, "ends_at has passed (worker)"),
    (CampaignStatus.PAUSED, CampaignStatus.CLOSED, "ends_at has passed (worker)"),
    (CampaignStatus.CLOSED, CampaignStatus.ACTIVE, "a later ends_at, or none"),
    (CampaignStatus.CLOSED, CampaignStatus.COMPLETED, "decide_by (worker)"),
)


def describe() -> str:
    """The page in Markdown."""
    return "\n".join((_HEAD, *_diagram(), "", "## Commands by phase", "", *_table(), ""))


def _diagram() -> Iterator[str]:
    yield from ("```mermaid", "stateDiagram-v2", "    [*] --> draft: create")
    for command, target in TARGETS.items():
        for status in CampaignStatus:
            if status is not target and ALLOWED[command] & phases_of(status):
                yield f"    {status} --> {target}: {command.name.lower()}"
    yield f"    {CampaignStatus.DRAFT} --> [*]: delete"
    for source, target, cause in _BY_WORKER:
        yield f"    {source} --> {target}: {cause}"
    yield "```"


def _table() -> Iterator[str]:
    yield f"| one can | {' | '.join(Phase)} |"
    yield "| --- |" + " --- |" * len(Phase)
    for command in Command:
        cells = ("yes" if phase in ALLOWED[command] else "" for phase in Phase)
        yield f"| {command} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(write_or_check(describe, __doc__))
