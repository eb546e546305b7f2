-- Rates with what speaks for and against each; nothing is dropped yet.
-- An exposure of unknown place counts as one wholly inside the anomaly.
--
-- grain   one row per obs_id
-- reads   rates
-- param   $darks_only = true         leave out what was exposed to light
-- param   $least_exposure_s = 200.0  integration time, longer ones are kept  [s]  at least 0
-- param   $most_anomaly_share = 0.0  share of it inside the anomaly, kept  [1]  at least 0, at most 1

with judged as (
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
        middle_altitude_km,
        anomaly_share,
        coalesce(isfinite(rate_per_s_cm2), false) as has_rate,
        is_dark or not $darks_only as is_dark_enough,
        integration_s > $least_exposure_s as is_long_enough,
        coalesce(anomaly_share, 1) <= $most_anomaly_share as is_outside_anomaly
    from rates
)

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
    middle_altitude_km,
    anomaly_share,
    has_rate,
    is_dark_enough,
    is_long_enough,
    is_outside_anomaly,
    has_rate and is_dark_enough and is_long_enough as is_sound,
    has_rate and is_dark_enough and is_long_enough and is_outside_anomaly as is_kept
from judged
