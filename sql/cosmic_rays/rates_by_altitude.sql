-- Rate by height of an exposure's middle, outside the anomaly; empty bins are no rows.
--
-- grain   one row per instrument, altitude_km
-- reads   clean_rates
-- param   $bin_km = 5.0  height of a bin  [km]  above 0

with binned as (
    select
        instrument,
        (floor(middle_altitude_km / $bin_km) + 0.5) * $bin_km as altitude_km,
        rate_per_s_cm2,
        n_hits
    from clean_rates
    where middle_altitude_km is not null
)

select
    instrument,
    altitude_km,
    count(*) as n_exposures,
    sum(n_hits) as n_hits,
    median(rate_per_s_cm2) as rate_per_s_cm2
from binned
group by instrument, altitude_km
