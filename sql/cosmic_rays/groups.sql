-- Good exposures by month and, within one, by what they are compared with: detector, amplifiers and exposure.
-- How hits are told: `auto` takes the flags of a file that has some, compares those that have none with one
-- another, and sets a threshold where there is no quality; ramps are never compared. A file's exposures stay
-- together. More than 30 are split into parts of nearly equal size, none above 30; one alone has nothing to
-- be compared with. A group is of a whole month, the same whatever span is asked for, and is kept where the
-- span has one of its exposures.
--
-- grain   one row per obs_id
-- reads   exposures
-- param   $detector = ''          detector, all if empty
-- param   $since = '1990-01-01'   first instant of exposures of groups that are kept, UTC
-- param   $until = '2100-01-01'   the instant after the last, UTC
-- param   $told_by = 'auto'       flags, rejection, threshold, or auto
-- source  Miles et al. (2021), ApJ 918, 86, section 3

with files (instrument, source_sha256, month, start_time, amplifiers, exposure_s, method, n_exposures) as (
    select
        instrument,
        source_sha256,
        date_trunc('month', min(start_time)),
        min(start_time),
        coalesce(min(amplifiers), ''),
        min(exposure_s),
        case
            when instrument = 'WFC3_IR' or instrument like 'NICMOS%' then 'flags'
            when $told_by <> 'auto' then $told_by
            when count(n_flagged) < count(*) then 'threshold'
            when min(n_flagged) > 0 then 'flags'
            else 'rejection'
        end,
        count(*)
    from exposures
    where
        flaw is null
        and ($detector = '' or instrument = upper($detector))
    group by instrument, source_sha256
),

parted as (
    select
        instrument,
        source_sha256,
        month,
        method,
        amplifiers,
        exposure_s,
        case when method = 'rejection' then '' else source_sha256 end as alone,
        sum(n_exposures) over (partition by instrument, month, method, amplifiers, exposure_s) as n_alike,
        sum(n_exposures) over (
            partition by instrument, month, method, amplifiers, exposure_s
            order by start_time, source_sha256
        ) - n_exposures as n_before,
        cast(floor(n_before * ceil(n_alike / 30.0) / n_alike) as integer) as part
    from files
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
window
    together as (
        partition by
            parted.instrument, parted.month, parted.method, parted.amplifiers, parted.exposure_s, parted.part,
            parted.alone
    )
qualify
    bool_or(
        exposures.start_time >= cast($since as timestamp) and exposures.start_time < cast($until as timestamp)
    ) over together
