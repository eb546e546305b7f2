-- Exposures whose hits were measured, with the time and area on which these fell.
-- Of a ramp the time is that of the reads in which hits were looked for.
--
-- grain   one row per obs_id
-- reads   exposures, measurements, images

with gathered as (
    -- chips gather at once, reads one after the other
    select
        obs_id,
        sum(integration_s) / count(distinct chip) as integration_s
    from images
    group by obs_id
)

select
    exposures.obs_id,
    exposures.instrument,
    exposures.is_dark,
    measurements.method,
    exposures.start_time,
    exposures.start_mjd,
    exposures.stop_mjd,
    exposures.exposure_s,
    coalesce(gathered.integration_s, exposures.integration_s) as integration_s,
    exposures.area_cm2,
    exposures.pixel_um,
    exposures.thickness_um,
    measurements.n_hits,
    measurements.n_hits_corrected,
    measurements.rate_per_s_cm2,
    measurements.rate_low_per_s_cm2,
    measurements.rate_high_per_s_cm2,
    measurements.live_fraction,
    measurements.energy_e
from exposures
inner join measurements on exposures.obs_id = measurements.obs_id
left join gathered on exposures.obs_id = gathered.obs_id
where measurements.failure is null
