-- Each campaign is a scope. The organisation is another scope, with all own campaigns that were ever open.
select
    'campaign' as scope_kind,
    cast(campaign_id as text) as scope_id,
    campaign_id,
    is_imported
from {{ ref('int_campaigns') }}
union all
select
    'organisation' as scope_kind,
    'organisation' as scope_id,
    campaign_id,
    is_imported
from {{ ref('int_campaigns') }}
where not is_imported and activated_at is not null
