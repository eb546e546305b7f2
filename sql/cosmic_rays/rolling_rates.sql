-- Median rate in a window of days around each exposure, of its detector alone.
-- A window reaches as far before an exposure's start as after it; with too few exposures it has no median.
-- `relative_rate` is the median over that of all exposures of the detector.
--
-- grain   one row per obs_id
-- reads   clean_rates
-- param   $window_d = 25.0  width of the window            [d]  above 0
-- param   $least_n = 20     exposures a window has to have  [1]  at least 1
-- source  Miles et al. (2021), ApJ 918, 86

with rolled as (
    select
        obs_id,
        instrument,
        start_time,
        rate_per_s_cm2,
        median(rate_per_s_cm2) over (partition by instrument) as usual_rate,
        count(*) over near as n_in_window,
        median(rate_per_s_cm2) over near as median_rate
    from clean_rates
    window
        near as (
            partition by instrument
            order by start_mjd / $window_d
            range between 0.5 preceding and 0.5 following
        )
)

select
    obs_id,
    instrument,
    start_time,
    rate_per_s_cm2,
    n_in_window,
    case when n_in_window >= $least_n then median_rate end as median_rate_per_s_cm2,
    case when n_in_window >= $least_n then median_rate / nullif(usual_rate, 0) end as relative_rate
from rolled
