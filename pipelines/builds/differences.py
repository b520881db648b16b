"""The campaigns whose coins do not add up in the warehouse, in words."""

from __future__ import annotations

import psycopg

from pipelines.wording import count, counted

_CAMPAIGNS_MAX = 20
_QUERY = """
SELECT campaigns.title, campaigns.slug, coins.difference_coins, coins.wrong_balances, coins.unbalanced_transfers,
    coins.issued_coins + coins.carried_in_coins AS made_coins
FROM marts.fct_coin_conservation AS coins
JOIN intermediate.int_campaigns AS campaigns ON campaigns.campaign_id = coins.campaign_id
WHERE NOT coins.is_balanced
ORDER BY abs(coins.difference_coins) DESC NULLS LAST, campaigns.slug
"""


def describe_differences(url: str) -> tuple[str, ...]:
    """A sentence for each campaign whose coins the newest build did not find: its name, and how much is wrong.

    A campaign with few members has no amounts, which would reveal their number. Empty if the warehouse cannot be read.

    Args:
        url: libpq URL of a log-in as ideamint_dbt. The model of conservation was built.
    """
    try:
        with psycopg.connect(url) as connection:
            rows = connection.execute(_QUERY).fetchall()
    except psycopg.Error:
        # This only explains a failure that is reported in any case, and may have the same cause.
        return ()
    lines = [
        f"{title} ({slug}): {'; '.join(_faults(difference, balances, transfers, made))}"
        for title, slug, difference, balances, transfers, made in rows[:_CAMPAIGNS_MAX]
    ]
    if (left := len(rows) - _CAMPAIGNS_MAX) > 0:
        lines.append(f"{counted(left, 'more campaign', 'more campaigns')} with wrong coins")
    return tuple(lines)


def _faults(difference: int | None, balances: int | None, transfers: int | None, made: int | None) -> list[str]:
    if difference is None or made is None:
        return ["the coins are not balanced"]
    faults = []
    if difference:
        missing = counted(abs(difference), "coin", "coins") + (" missing" if difference > 0 else " too many")
        faults.append(f"{missing} ({count(made)} issued or carried in, {count(made - difference)} found)")
    if balances:
        faults.append(f"{counted(balances, 'balance differs', 'balances differ')} from the postings of the account")
    if transfers:
        faults.append(f"{counted(transfers, 'transfer', 'transfers')} without two postings that sum to zero")
    return faults
