-- The number of people behind the figures of a campaign, and the rule that follows from it. Coins were granted to
-- everyone who ever joined, and equal grants reveal their number.
with current_members as (
    select
        moment,
        campaign_id,
        count(distinct user_id) as members
    from {{ ref('int_members_at_moments') }}
    group by moment, campaign_id
),

joined as (
    select
        moments.moment,
        members.campaign_id,
        count(*) as members_ever
    from {{ ref('int_members') }} as members
    inner join {{ ref('int_moments') }} as moments
        on moments.moment = 'now' or (not members.is_imported and members.first_joined_at <= moments.taken_at)
    group by moments.moment, members.campaign_id
),

participants as (
    select
        moment,
        campaign_id,
        count(*) as participants
    from {{ ref('int_participants') }}
    group by moment, campaign_id
),

sizes as (
    select
        campaigns.campaign_id,
        moments.moment,
        coalesce(current_members.members, 0) as members,
        coalesce(joined.members_ever, 0) as members_ever,
        coalesce(participants.participants, 0) as participants
    from {{ ref('int_campaigns') }} as campaigns
    inner join {{ ref('int_moments') }} as moments
        on moments.moment = 'now' or not campaigns.is_imported
    left join current_members
        on campaigns.campaign_id = current_members.campaign_id and moments.moment = current_members.moment
    left join joined
        on campaigns.campaign_id = joined.campaign_id and moments.moment = joined.moment
    left join participants
        on campaigns.campaign_id = participants.campaign_id and moments.moment = participants.moment
)

select
    campaign_id,
    moment,
    members,
    members_ever,
    participants,
    {{ is_few('members') }} or {{ is_few('members_ever') }} as has_few_members,
    {{ is_few('members') }} or {{ is_few('members_ever') }} or {{ is_few('participants') }} as is_suppressed
from sizes
