-- Hits of long darks with the track that their pixels suggest: straight, from face to face of the silicon.
-- It lies along the diagonal of the box of its pixels, last ones included. Infrared detectors tell no track.
--
-- grain   one row per obs_id, chip, read_id, hit_id
-- reads   hits, measured_exposures
-- param   $darks_only = true  leave out what was exposed to light
-- param   $least_s = 200.0    integration time, longer ones are kept  [s]  at least 0
-- source  Miles et al. (2021), ApJ 918, 86; 3.71 eV a pair of electron and hole in silicon

with boxed as (
    select
        hits.obs_id,
        hits.chip,
        hits.read_id,
        hits.hit_id,
        exposures.instrument,
        hits.n_pixels,
        hits.energy_e,
        hits.size_px,
        hits.shape,
        exposures.pixel_um,
        exposures.thickness_um,
        sqrt(
            power(list_max(hits.pixels_y) - list_min(hits.pixels_y) + 1.0, 2)
            + power(list_max(hits.pixels_x) - list_min(hits.pixels_x) + 1.0, 2)
        ) as projected_length_px
    from hits
    inner join measured_exposures as exposures on hits.obs_id = exposures.obs_id
    where exposures.integration_s > $least_s and (exposures.is_dark or not $darks_only)
)

select
    obs_id,
    chip,
    read_id,
    hit_id,
    instrument,
    n_pixels,
    energy_e,
    size_px,
    shape,
    projected_length_px,
    sqrt(power(projected_length_px * pixel_um, 2) + power(thickness_um, 2)) as path_um,
    degrees(atan2(projected_length_px * pixel_um, thickness_um)) as incidence_deg,
    case when thickness_um is not null then energy_e * 0.00371 end as energy_kev
from boxed
