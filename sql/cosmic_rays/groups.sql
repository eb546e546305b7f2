-- Good exposures by month and, within one, by what they are compared with: the same detector, amplifiers and exposure.
-- How hits are told: `auto` takes the flags of a file that has some, compares those that have none with one another,
-- and sets a threshold where a detector has no quality; ramps are never compared. A file's exposures stay together.
-- More than 30 are split into parts of nearly equal size, none above 30; who is alone has nothing to be compared with.
-- A group is of a whole month, so that it is the same whatever span is asked for; it is kept where the span has one of
-- its exposures.
--
-- grain   one row per obs_id
-- reads   exposures
-- param   $instrument = ''        detector, all if empty
-- param   $since = '1990-01-01'   first instant of exposures of groups that are kept, UTC
-- param   $until = '2100-01-01'   the instant after the last, UTC
-- param   $method = 'auto'        flags, rejection, threshold, or auto
-- source  Miles et al. (2021), ApJ 918, 86, section 3

with files as (
    select
        instrument,
        source_sha256,
        date_trunc('month', min(start_time)) as month,
        min(start_time) as start_time,
        coalesce(min(amplifiers), '') as amplifiers,
        min(exposure_s) as exposure_s,
        case
            when instrument = 'WFC3_IR' or instrument like 'NICMOS%' then 'flags'
            when $method <> 'auto' then $method
            when count(n_flagged) < count(*) then 'threshold'
            when min(n_flagged) > 0 then 'flags'
            else 'rejection'
        end as method,
        count(*) as n_exposures
    from exposures
    where
        flaw is null
        and ($instrument = '' or instrument = upper($instrument))
    group by instrument, source_sha256
),

parted as (
    select
        files.*,
        case when method = 'rejection' then '' else source_sha256 end as alone,
        sum(n_exposures) over alike as n_alike,
        sum(n_exposures) over (alike order by start_time, source_sha256) - n_exposures as n_before,
        cast(floor(n_before * ceil(n_alike / 30.0) / n_alike) as integer) as part
    from files
    window alike as (partition by instrument, month, method, amplifiers, exposure_s)
)

select
    exposures.obs_id,
    parted.instrument,
    parted.month,
    parted.method,
    parted.amplifiers,
    parted.exposure_s,
    parted.part,
    parted.source_sha256,
    exposures.start_time,
    cast(count(*) over together as integer) as n_in_group
from exposures
inner join parted on exposures.source_sha256 = parted.source_sha256
where exposures.flaw is null
window together as (
    partition by
        parted.instrument, parted.month, parted.method, parted.amplifiers, parted.exposure_s, parted.part, parted.alone
)
qualify
    bool_or(
        exposures.start_time >= cast($since as timestamp) and exposures.start_time < cast($until as timestamp)
    ) over together
