-- What there is of each detector: exposures, their time, and the hits in it.
--
-- grain   one row per instrument
-- reads   measured_exposures
-- param   $darks_only = true  leave out what was exposed to light

select
    instrument,
    count(*) as n_exposures,
    sum(n_hits) as n_hits,
    sum(exposure_s) as exposure_s,
    sum(integration_s) as integration_s,
    sum(energy_e) as energy_e,
    sum(n_hits) / nullif(sum(integration_s * area_cm2), 0) as rate_per_s_cm2,
    min(start_time) as first_start_time,
    max(start_time) as last_start_time
from measured_exposures
where is_dark or not $darks_only
group by instrument
