-- Rates of hits and of their charge, exposure by exposure, and where Hubble was.
-- The middle is the first position at half time or later. Without positions all are null, and so is the
-- share of the exposure inside its detector's contour of the South Atlantic Anomaly.
--
-- grain   one row per obs_id
-- reads   measured_exposures, positions

with placed as (
    select
        positions.obs_id,
        positions.mjd,
        positions.longitude_deg,
        positions.latitude_deg,
        positions.altitude_km,
        positions.is_in_anomaly,
        positions.mjd >= (exposures.start_mjd + exposures.stop_mjd) / 2 as is_late
    from positions
    inner join measured_exposures as exposures on positions.obs_id = exposures.obs_id
),

places as (
    select
        obs_id,
        arg_min(longitude_deg, mjd) as start_longitude_deg,
        arg_min(latitude_deg, mjd) as start_latitude_deg,
        arg_min(altitude_km, mjd) as start_altitude_km,
        arg_min(longitude_deg, mjd) filter (is_late) as middle_longitude_deg,
        arg_min(latitude_deg, mjd) filter (is_late) as middle_latitude_deg,
        arg_min(altitude_km, mjd) filter (is_late) as middle_altitude_km,
        arg_max(longitude_deg, mjd) as stop_longitude_deg,
        arg_max(latitude_deg, mjd) as stop_latitude_deg,
        arg_max(altitude_km, mjd) as stop_altitude_km,
        avg(cast(is_in_anomaly as integer)) as anomaly_share
    from placed
    group by obs_id
)

select
    exposures.obs_id,
    exposures.instrument,
    exposures.is_dark,
    exposures.method,
    exposures.start_time,
    exposures.start_mjd,
    exposures.stop_mjd,
    exposures.exposure_s,
    exposures.integration_s,
    exposures.area_cm2,
    exposures.live_fraction,
    exposures.n_hits,
    exposures.rate_per_s_cm2,
    exposures.rate_low_per_s_cm2,
    exposures.rate_high_per_s_cm2,
    exposures.energy_e,
    exposures.energy_e / nullif(exposures.integration_s * exposures.area_cm2, 0) as energy_rate_e_per_s_cm2,
    places.start_longitude_deg,
    places.start_latitude_deg,
    places.start_altitude_km,
    places.middle_longitude_deg,
    places.middle_latitude_deg,
    places.middle_altitude_km,
    places.stop_longitude_deg,
    places.stop_latitude_deg,
    places.stop_altitude_km,
    places.anomaly_share
from measured_exposures as exposures
left join places on exposures.obs_id = places.obs_id
