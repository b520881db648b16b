"""Write the page of the life cycle of an idea from the code, or check the committed one: `python -m cli.generate.idea_steps [--check] FILE`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from api.campaigns.lifecycle import ALLOWED, Command, Phase
from api.ideas.steps import EDITING, PUBLIC, STEPS, Coins, Status, Step, submitted_status
from cli.generate.files import write_or_check

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# The life cycle of an idea

An idea has a status. `POST /ideas/{id}/status` changes it, and `next_statuses` of an idea lists what the caller can make of it
now. [ideas.md](ideas.md) describes the rules of drafts, edits, approval and rejection. While backers may take coins back after a
material edit, a competing idea is neither accepted nor rejected, and its campaign is not completed: 409 `grace-running`.

Generated from `api/ideas/steps.py` by `make docs`.
"""
_MEDIATION = {True: " in a mediated campaign", False: " in other campaigns", None: ""}
_COINS = {
    Coins.NOTHING: "",
    Coins.OPEN: "members can stake coins",
    Coins.EXPIRE: "expire",
    Coins.RETURN: "return to the wallets",
    Coins.REOPEN: "are restored",
    Coins.SETTLE: "are settled with the campaign",
    Coins.MERGE: "move to the other idea; those above a maximum return to the wallets",
    Coins.RESTORE: "move back",
}


def describe() -> str:
    """The page: a diagram, a table of the steps, and a table of the statuses."""
    return "\n".join([_HEAD, *_diagram(), "", *_steps(), "", *_statuses()]) + "\n"


def _diagram() -> Iterator[str]:
    yield from ("```mermaid", "stateDiagram-v2", f"    [*] --> {Status.DRAFT}: save a draft")
    for is_mediated in (True, False):
        target = submitted_status(is_mediated=is_mediated)
        yield f"    [*] --> {target}: submit{_MEDIATION[is_mediated]}"
    for step in STEPS:
        for source in _sources(step):
            yield f"    {source} --> {step.target}: {_verb(step)}{_MEDIATION[step.is_mediated]}"
    yield f"    [*] --> {Status.OUTCOME_UNKNOWN}: import"
    yield "```"


def _steps() -> Iterator[str]:
    yield "## Steps"
    yield ""
    yield "| step | from | to | permission | needs a reason | phases of the campaign | coins on the idea |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for step in STEPS:
        sources = ", ".join(f"`{source}`" for source in _sources(step))
        permission = f"`{step.permission}`" if step.permission else "completion of the campaign"
        permission += f" (`{step.route}`)" if step.route else ""
        reason = "yes" if step.needs_reason else ""
        name = _verb(step) + _MEDIATION[step.is_mediated]
        yield (
            f"| {name} | {sources} | `{step.target}` | {permission} | {reason} | {_phases(step)} | {_COINS[step.coins]} |"
        )


def _statuses() -> Iterator[str]:
    yield "## Statuses"
    yield ""
    yield "| status | visible to | text changed by |"
    yield "| --- | --- | --- |"
    for status in Status:
        yield f"| `{status}` | {_readers(status)} | {EDITING[status].value} |"


def _verb(step: Step) -> str:
    return step.verb.removesuffix(" of")  # the verb has an idea as its object in messages


def _sources(step: Step) -> list[Status]:
    return [status for status in Status if status in step.sources]


def _phases(step: Step) -> str:
    if step.command is None:
        return "all" if step.permission else ", ".join(phase for phase in Phase if phase in ALLOWED[Command.COMPLETE])
    return ", ".join(phase for phase in Phase if phase in ALLOWED[step.command])


def _readers(status: Status) -> str:
    if status is Status.DRAFT:
        return "its author"
    if status is Status.MERGED:
        return "everyone who may see the campaign, if it was competing; otherwise as a rejected one. Lists leave it out"
    if status in PUBLIC:
        return "everyone who may see the campaign"
    return "its author, callers with `view_all_ideas`, and members who had coins on it"


if __name__ == "__main__":
    sys.exit(write_or_check(describe, __doc__))
