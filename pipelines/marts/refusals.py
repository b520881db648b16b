"""The record that newer data was refused: its build or a check failed, so the published snapshot is an older state."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from pipelines.marts.records import Campaign
from pipelines.marts.scopes import Scope

REFUSAL_FILE: Final = "refused.json"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the newest data is not published.

    `since` is the first refusal after the last publication and `refused_at` the latest one, both in UTC. The first line of
    a reason is a sentence.
    """

    since: datetime
    refused_at: datetime
    reasons: tuple[str, ...]

    def within(self, scope: Scope, campaigns: Iterable[Campaign]) -> Refusal:
        """The refusal with the reasons that a reader may see, whose campaigns these are.

        A reason may name any campaign, so a reader of some campaigns sees only those that name one of them.
        """
        if scope.sees_all:
            return self
        own = tuple(f"{campaign.title} ({campaign.slug}): " for campaign in campaigns)
        return replace(self, reasons=tuple(reason for reason in self.reasons if reason.startswith(own)))


def find_refusal(exports_dir: Path) -> Refusal | None:
    """The refusal that is recorded in the folder of the snapshots, if there is one."""
    try:
        content = json.loads((exports_dir / REFUSAL_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    refused_at = datetime.fromisoformat(content["refused_at"])
    since = datetime.fromisoformat(content.get("since", content["refused_at"]))  # earlier versions wrote no `since`
    return Refusal(since, refused_at, tuple(content["reasons"]))
