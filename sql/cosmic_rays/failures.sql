-- What was left out, and why: files that could not be read, exposures with a flaw, measurements that failed.
-- Of a file that could not be read, `obs_id` is what its name tells, or null; the other stages know no
-- `uri`.
--
-- grain   one row per stage, obs_id, uri, reason
-- reads   exposures, measurements, lake.rejected

with failed (stage, obs_id, uri, reason) as (
    select distinct
        'reading',
        nullif(regexp_extract(uri, '([a-z0-9]{9})_[a-z0-9]+[.]fits([.]gz)?$', 1), ''),
        uri,
        reason
    from lake.rejected
    where contains(dataset, 'cosmic_rays.')

    union all

    select
        'screening',
        obs_id,
        null,
        flaw
    from exposures

    union all

    select
        'measurement',
        obs_id,
        null,
        failure
    from measurements
)

select
    stage,
    obs_id,
    uri,
    reason
from failed
where reason is not null
