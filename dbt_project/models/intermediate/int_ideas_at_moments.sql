-- The state of each idea at each moment: its status, whether it was ever approved, its coins and its backers. An idea
-- counts as accepted during and after delivery, unless the acceptance was undone.
with idea_states as (
    select
        moments.moment,
        statuses.idea_id,
        statuses.campaign_id,
        bool_or(statuses.status = 'competing') as is_approved,
        max(statuses.status) filter (
            where statuses.left_at is null or (statuses.left_at > moments.taken_at and moments.moment <> 'now')
        ) as status,
        max(statuses.entered_at) as status_entered_at
    from {{ ref('int_idea_statuses') }} as statuses
    inner join {{ ref('int_campaigns') }} as campaigns
        on statuses.campaign_id = campaigns.campaign_id
    inner join {{ ref('int_moments') }} as moments
        on moments.moment = 'now' or (not campaigns.is_imported and statuses.entered_at <= moments.taken_at)
    group by moments.moment, statuses.idea_id, statuses.campaign_id
),

stakes as (
    select
        moment,
        idea_id,
        sum(coins) as coins,
        count(*) filter (where coins > 0) as backers
    from {{ ref('int_stakes') }}
    group by moment, idea_id
),

participants as (
    select
        moment,
        campaign_id,
        count(*) as participants
    from {{ ref('int_participants') }}
    group by moment, campaign_id
)

select
    idea_states.moment,
    idea_states.idea_id,
    idea_states.campaign_id,
    idea_states.status,
    idea_states.status_entered_at,
    idea_states.is_approved,
    coalesce(idea_states.status in ('accepted', 'in_progress', 'complete', 'stopped'), false) as is_accepted,
    cast(coalesce(stakes.coins, 0) as bigint) as coins,
    coalesce(stakes.backers, 0) as backers,
    idea_states.is_approved
    and coalesce(stakes.backers, 0)
    >= greatest({{ var('backers_min') }}, 0.02 * coalesce(participants.participants, 0)) as is_backed
from idea_states
left join stakes
    on idea_states.moment = stakes.moment and idea_states.idea_id = stakes.idea_id
left join participants
    on idea_states.moment = participants.moment and idea_states.campaign_id = participants.campaign_id
