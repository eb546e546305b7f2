-- Rates as a periodogram takes them: instants in days, rates over the detector's median, errors of Poisson.
-- Nothing is smoothed, and the cuts of `clean_rates` hold.
--
-- grain   one row per obs_id
-- reads   clean_rates
-- param   $longer_than_s = 300.0  integration time, longer ones are kept  [s]  at least 0
-- source  VanderPlas (2018), ApJS 236, 16, for what a periodogram needs

select
    obs_id,
    instrument,
    (start_mjd + stop_mjd) / 2 as middle_mjd,
    rate_per_s_cm2 / nullif(median(rate_per_s_cm2) over (partition by instrument), 0) as relative_rate,
    sqrt(greatest(n_hits, 1)) / (integration_s * area_cm2)
    / nullif(median(rate_per_s_cm2) over (partition by instrument), 0) as relative_rate_err
from clean_rates
where integration_s > $longer_than_s
