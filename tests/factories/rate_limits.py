"""Checks for buckets in the process and in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.kernel.rates import Bucket, Buckets, Limit, Refusal
from settings.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Sequence

# so slow that no token is added while a test runs
FIVE_A_DAY = Limit("probes", "member", Rate(5, "day"))
TWO_A_DAY = Limit("probes", "campaign", Rate(2, "day"))


async def refusal_of(buckets: Buckets, wanted: Sequence[Bucket]) -> Refusal | None:
    """Take a token from each bucket; None if there was one in each."""
    return (await buckets.spend(wanted)).refusal


async def check_all_or_none(buckets: Buckets) -> None:
    """If any bucket of a request is empty, the other buckets of the request lose no token."""
    member, campaign = Bucket("member", FIVE_A_DAY), Bucket("campaign", TWO_A_DAY)

    async def refused_by(*wanted: Bucket) -> Limit | None:
        refusal = await refusal_of(buckets, wanted)
        return refusal.limit if refusal else None

    for _ in range(2):
        assert await refused_by(member, campaign) is None
    for _ in range(10):
        assert await refused_by(member, campaign) is TWO_A_DAY
    for _ in range(3):  # the refusals by the campaign cost the member no token
        assert await refused_by(member) is None
    other = Bucket("other campaign", TWO_A_DAY)
    for _ in range(10):
        assert await refused_by(member, other) is FIVE_A_DAY
    for _ in range(2):  # the refusals by the member cost this campaign no token
        assert await refused_by(other) is None
    assert await refused_by(other) is TWO_A_DAY
