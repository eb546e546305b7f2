-- Rate by longitude and latitude of an exposure's middle, inside the anomaly too; empty bins are no rows.
-- The rate is of all hits in all time of a bin, its error of their number. `relative_rate` is the median
-- over that of all the detector's exposures here, `excess_sigma` what hits are above that, in errors.
--
-- grain   one row per instrument, longitude_deg, latitude_deg
-- reads   judged_rates
-- param   $bin_deg = 10.0         side of a bin                           [deg]  above 0, at most 90
-- param   $longer_than_s = 800.0  integration time, longer ones are kept  [s]    at least 0
-- source  Miles et al. (2021), ApJ 918, 86

with placed as (
    select
        instrument,
        (floor(middle_longitude_deg / $bin_deg) + 0.5) * $bin_deg as longitude_deg,
        (floor(middle_latitude_deg / $bin_deg) + 0.5) * $bin_deg as latitude_deg,
        n_hits,
        integration_s * area_cm2 as exposure_s_cm2,
        rate_per_s_cm2,
        median(rate_per_s_cm2) over (partition by instrument) as usual_rate
    from judged_rates
    where is_sound and integration_s > $longer_than_s and middle_longitude_deg is not null
),

binned as (
    select
        instrument,
        longitude_deg,
        latitude_deg,
        count(*) as n_exposures,
        sum(n_hits) as n_hits,
        sum(exposure_s_cm2) as exposure_s_cm2,
        median(rate_per_s_cm2) as median_rate,
        any_value(usual_rate) as usual_rate
    from placed
    group by instrument, longitude_deg, latitude_deg
)

select
    instrument,
    longitude_deg,
    latitude_deg,
    n_exposures,
    n_hits,
    n_hits / exposure_s_cm2 as rate_per_s_cm2,
    sqrt(greatest(n_hits, 1)) / exposure_s_cm2 as rate_err_per_s_cm2,
    median_rate / nullif(usual_rate, 0) as relative_rate,
    (n_hits - usual_rate * exposure_s_cm2) / sqrt(greatest(n_hits, 1)) as excess_sigma
from binned
