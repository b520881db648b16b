"""Comparisons of amounts that are computed with floating-point numbers.

Two amounts that differ by less than a billionth count as equal: sums of a million payments have errors of less than a
thousandth of that.
"""

from __future__ import annotations

RELATIVE = 1e-9


def at_most(amount: float, limit: float) -> bool:
    """Whether an amount is not greater than a limit."""
    return amount <= limit + RELATIVE * max(abs(amount), abs(limit))


def is_less(amount: float, other: float) -> bool:
    """Whether an amount is less than another one, and not equal to it."""
    return not at_most(other, amount)
