-- Months of each detector: how many exposures there are, and how far they are measured.
-- A month is `empty` without exposures, `pending` while a good one is not measured, `failed` where none
-- could be, else `done`; single failures are in `n_failed`. Every whole month of a detector's life outside
-- its pause is a row; any other is one where it has exposures, so that none is lost. A detector at work has
-- months until $until or, where that is left at its default, until the newest exposure of all.
--
-- grain   one row per instrument, month
-- reads   detectors, exposures, measurements
-- param   $since = '1990-01-01'   an instant of the first month, UTC
-- param   $until = '2100-01-01'   months that start here or later are left out, UTC
-- param   $detector = ''          detector, all if empty

with lives as (
    select
        instrument,
        first_month,
        pause_start_time,
        pause_stop_time,
        case
            when end_time is not null then end_time - interval 1 month
            when $until < timestamp '2100-01-01' then $until
            else max(last_start_time) over ()
        end as last_month
    from detectors
),

alive (instrument, month, pause_start_time, pause_stop_time) as (
    select
        instrument,
        unnest(generate_series(first_month, last_month, interval 1 month)),
        pause_start_time,
        pause_stop_time
    from lives
),

counted (instrument, month, n_exposures, n_flawed, n_measured, n_failed) as (
    select
        exposures.instrument,
        date_trunc('month', exposures.start_time),
        count(*),
        count(exposures.flaw),
        count(measurements.obs_id) - count(measurements.failure),
        count(measurements.failure)
    from exposures
    left join measurements on exposures.obs_id = measurements.obs_id
    group by exposures.instrument, date_trunc('month', exposures.start_time)
),

spine as (
    select
        instrument,
        month
    from alive
    where not coalesce(month >= pause_start_time and month + interval 1 month <= pause_stop_time, false)
    union
    select
        instrument,
        month
    from counted
)

select
    spine.instrument,
    spine.month,
    coalesce(counted.n_exposures, 0) as n_exposures,
    coalesce(counted.n_flawed, 0) as n_flawed,
    coalesce(counted.n_measured, 0) as n_measured,
    coalesce(counted.n_failed, 0) as n_failed,
    case
        when counted.n_exposures is null then 'empty'
        when counted.n_measured + counted.n_failed < counted.n_exposures - counted.n_flawed then 'pending'
        when counted.n_measured = 0 then 'failed'
        else 'done'
    end as state
from spine
left join counted on spine.instrument = counted.instrument and spine.month = counted.month
where
    spine.month >= date_trunc('month', $since) and spine.month < $until
    and ($detector = '' or spine.instrument = upper($detector))
