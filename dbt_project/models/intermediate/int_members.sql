-- A stay is a row of memberships; a member is all stays of one user in one campaign. Stays of observers do not count.
with latest as (
    select distinct on (campaign_id, user_id)
        campaign_id,
        user_id,
        role,
        attributes
    from {{ ref('stg_app__memberships') }}
    where role is distinct from 'observer'
    order by campaign_id, user_id, joined_at desc, membership_id desc
),

stays as (
    select
        campaign_id,
        user_id,
        min(joined_at) as first_joined_at,
        max(left_at) as last_left_at,
        bool_or(left_at is null) as is_current
    from {{ ref('stg_app__memberships') }}
    where role is distinct from 'observer'
    group by campaign_id, user_id
)

select
    stays.campaign_id,
    stays.user_id,
    latest.role,
    latest.attributes,
    stays.first_joined_at,
    stays.is_current,
    campaigns.is_imported,
    case when not stays.is_current then stays.last_left_at end as left_at
from stays
inner join latest
    on stays.campaign_id = latest.campaign_id and stays.user_id = latest.user_id
inner join {{ ref('int_campaigns') }} as campaigns
    on stays.campaign_id = campaigns.campaign_id
