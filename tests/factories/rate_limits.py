"""What holds for buckets wherever they are counted."""

from __future__ import annotations

from api.kernel.rates import Bucket, Buckets, Limit
from settings.rates import Rate

# so slow that no token comes back while a test runs
FIVE_A_DAY = Limit("probes", "member", Rate(5, "day"))
TWO_A_DAY = Limit("probes", "campaign", Rate(2, "day"))


async def check_all_or_none(buckets: Buckets) -> None:
    """Whichever bucket is empty, the others of the request lose no token."""
    member, campaign = Bucket("member", FIVE_A_DAY), Bucket("campaign", TWO_A_DAY)

    async def refused_by(*wanted: Bucket) -> Limit | None:
        refusal = await buckets.spend(wanted)
        return refusal.limit if refusal else None

    for _ in range(2):
        assert await refused_by(member, campaign) is None
    for _ in range(10):
        assert await refused_by(member, campaign) is TWO_A_DAY
    for _ in range(3):  # the member has lost none to the empty campaign
        assert await refused_by(member) is None
    other = Bucket("other campaign", TWO_A_DAY)
    for _ in range(10):
        assert await refused_by(member, other) is FIVE_A_DAY
    for _ in range(2):  # nor this campaign any to the empty member
        assert await refused_by(other) is None
    assert await refused_by(other) is TWO_A_DAY
