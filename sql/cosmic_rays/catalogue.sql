-- Exposures in the columns of the catalogue that Miles et al. published, by its names and in its order.
-- Charge is in electrons, area in cm2, time in seconds, height in kilometres, angles in degrees. Rows come in
-- no order; a published file is one detector's, by `mjd_start`.
--
-- grain   one row per obs_id
-- reads   rates, hits
-- param   $detector = ''      detector, all if empty
-- param   $darks_only = true  leave out what was exposed to light
-- source  Miles et al. (2021), ApJ 918, 86, data release

with sizes as (
    select
        obs_id,
        avg(n_pixels) as mean_size_pixels,
        median(n_pixels) as median_size_pixels
    from hits
    group by obs_id
)

select
    rates.obs_id,
    rates.start_time as date_start,
    rates.start_mjd as mjd_start,
    rates.start_time + to_microseconds(
        cast(round((rates.stop_mjd - rates.start_mjd) * 86400000000) as bigint)
    ) as date_end,
    rates.stop_mjd as mjd_end,
    rates.integration_s as integration_time,
    rates.start_altitude_km as altitude_start,
    rates.stop_altitude_km as altitude_end,
    rates.start_latitude_deg as latitude_start,
    rates.stop_latitude_deg as latitude_end,
    rates.start_longitude_deg as longitude_start,
    rates.stop_longitude_deg as longitude_end,
    rates.rate_per_s_cm2 as incident_cr_rate,
    rates.energy_e as cumulative_energy,
    rates.energy_e / nullif(rates.area_cm2, 0) as cumulative_energy_per_area,
    rates.energy_rate_e_per_s_cm2 as cumulative_energy_per_area_per_time,
    sizes.mean_size_pixels,
    sizes.median_size_pixels
from rates
left join sizes on rates.obs_id = sizes.obs_id
where
    ($detector = '' or rates.instrument = upper($detector))
    and (rates.is_dark or not $darks_only)
