-- Rates of exposures that pass every cut: darks, long enough, outside the South Atlantic Anomaly.
-- `rate_losses` counts what each cut costs.
--
-- grain   one row per obs_id
-- reads   judged_rates

select
    obs_id,
    instrument,
    start_time,
    start_mjd,
    stop_mjd,
    integration_s,
    area_cm2,
    n_hits,
    rate_per_s_cm2,
    rate_low_per_s_cm2,
    rate_high_per_s_cm2,
    energy_rate_e_per_s_cm2,
    start_longitude_deg,
    start_latitude_deg,
    middle_longitude_deg,
    middle_latitude_deg,
    middle_altitude_km
from judged_rates
where is_kept
