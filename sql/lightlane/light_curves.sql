-- Photons per time bin, with the good time of each bin.
-- A gap is a row without exposure, a quiet bin one of 0 photons. Bins start with the first time that is good
-- on all chips; photons outside such times are not counted.
--
-- grain   one row per obs_id, time_bin
-- reads   good_events, common_good_times
-- param   $bin_s = 100.0  width of a bin; for a CCD a whole number of frames, 20 or more  [s]  above 0
-- source  Angelini, Pence & Tennant (1993), OGIP/93-003: light curves with the exposed part of each bin

with spans as (
    select
        obs_id,
        min(start_s) as first_s,
        cast(ceil((max(stop_s) - min(start_s)) / $bin_s) as bigint) as n_bins
    from common_good_times
    group by obs_id
),

spine as (
    select
        obs_id,
        first_s,
        unnest(range(n_bins)) as time_bin
    from spans
),

pieces as (
    -- one row per good time and bin that it touches
    select
        times.obs_id,
        times.start_s,
        times.stop_s,
        spans.first_s,
        unnest(range(
            cast(floor((times.start_s - spans.first_s) / $bin_s) as bigint),
            cast(ceil((times.stop_s - spans.first_s) / $bin_s) as bigint)
        )) as time_bin
    from common_good_times as times
    inner join spans on times.obs_id = spans.obs_id
),

exposures as (
    select
        obs_id,
        time_bin,
        sum(greatest(
            least(stop_s, first_s + (time_bin + 1) * $bin_s)
            - greatest(start_s, first_s + time_bin * $bin_s),
            0
        )) as exposure_s
    from pieces
    group by obs_id, time_bin
),

counts as (
    select
        events.obs_id,
        cast(least(
            floor((events.arrival_s - spans.first_s) / $bin_s),
            spans.n_bins - 1
        ) as bigint) as time_bin,
        count(*) as n_photons
    from good_events as events
    inner join spans on events.obs_id = spans.obs_id
    asof inner join common_good_times as times
        on events.obs_id = times.obs_id and events.arrival_s >= times.start_s
    where events.arrival_s < times.stop_s
    group by events.obs_id, time_bin
)

select
    spine.obs_id,
    spine.time_bin,
    spine.first_s + spine.time_bin * $bin_s as bin_start_s,
    coalesce(counts.n_photons, 0) as n_photons,
    coalesce(exposures.exposure_s, 0) as exposure_s
from spine
left join counts on spine.obs_id = counts.obs_id and spine.time_bin = counts.time_bin
left join exposures on spine.obs_id = exposures.obs_id and spine.time_bin = exposures.time_bin
