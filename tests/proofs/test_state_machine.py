"""Compares the ledger with a model, step by step, over all commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.proofs.ledger_machine import LedgerMachine

if TYPE_CHECKING:
    from collections.abc import Callable

    from settings import Settings

STEPS_PER_EXAMPLE = 50

COMMANDS = {
    "accept", "allocate", "batch", "begin grace", "bulk", "change policy", "complete", "expire", "grant", "leave", "open idea",
    "reallocate", "reject", "rejoin", "settle a part", "take back", "undo acceptance", "withdraw",
}  # fmt: skip
RESULTS = {
    "move": {
        "above_maximum", "below_minimum", "cooling_down", "idea_not_open", "insufficient_coins", "insufficient_stake", "key_reused", "moved",
        "not_a_member", "not_positive", "own_idea", "replayed", "same_account", "take_back_refused", "unknown_idea",
        "wallet_frozen", "window_closed",
    },
    "bulk": {
        "already_granted", "coins_differ", "coins_missing", "corrected", "granted", "insufficient_coins", "ledger_closed",
        "not_a_member", "reason_missing", "too_late",
    },
    "policy": {
        "put into force", "frozen allocate_until", "frozen coins_per_allocation_min", "frozen coins_per_member",
        "frozen coins_per_member_and_idea_max", "frozen own_ideas", "frozen take_back", "frozen undo_window_h",
        "frozen coins_per_member_and_idea_max_percent", "frozen take_back_until", "frozen move_cooldown_s", "frozen late_grant",
        "frozen decision_mode", "frozen accept_threshold_coins", "frozen backers_min", "frozen returned_coins",
    },
    "accept": {"at once", "in grace", "lacks support", "too early"},
    "expire": {"at once", "by a settlement", "in grace"},
    "reject": {"at once", "by a settlement", "in grace"},
    "withdraw": {"at once", "by a settlement"},
    "complete": {"at once", "by a settlement", "in grace", "refused"},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_the_ledger_equals_its_model(database: Settings, *, full: bool, figure: Callable[[str], None]) -> None:
    wanted = 100_000 if full else 500
    LedgerMachine.steps.clear()
    LedgerMachine.results.clear()
    with psycopg.connect(
        database.database.role_url("app"), autocommit=True, options="-c synchronous_commit=off"
    ) as LedgerMachine.connection:
        while (made := LedgerMachine.steps.total()) < wanted:
            run_state_machine_as_test(
                LedgerMachine,
                settings=settings(
                    max_examples=(wanted - made) // STEPS_PER_EXAMPLE + 1,
                    stateful_step_count=STEPS_PER_EXAMPLE,
                    deadline=None,
                    database=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
            )
    if full:
        every = {f"{command}: {result}" for command, results in RESULTS.items() for result in results}
        assert every == LedgerMachine.results.keys()
        assert (
            COMMANDS | {f"dry run {command}" for command in COMMANDS} | {"aggregate", "replay"}
            == LedgerMachine.steps.keys()
        )
    steps, results = counts_text(LedgerMachine.steps), counts_text(LedgerMachine.results)
    figure(
        f"{LedgerMachine.steps.total()} steps in {LedgerMachine.examples} campaigns, all recomputed {LedgerMachine.verified} "
        f"times, no divergence: {steps}; results: {results}"
    )


def counts_text(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
