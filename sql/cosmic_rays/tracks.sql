-- How each cosmic ray crossed the silicon: the length it left in the plane, its path, its angles, its energy.
-- The length is that of the box around its pixels. The path is at least the silicon's thickness: who leaves a
-- long track came at a low angle. Where the detector is no silicon there is no path and no angle to tell.
--
-- grain   one row per obs_id, chip, read_id, hit_id
-- reads   exposures, hits, hit_details
-- source  Miles et al. (2021), ApJ 918, 86, section 4; 3.71 eV a pair of electron and hole

with boxes as (
    select
        hits.obs_id,
        hits.chip,
        hits.read_id,
        hits.hit_id,
        hits.energy_e,
        exposures.instrument,
        exposures.thickness_um,
        sqrt(
            pow(cast(hit_details.y_max as double) - hit_details.y_min + 1, 2)
            + pow(cast(hit_details.x_max as double) - hit_details.x_min + 1, 2)
        ) as length_px,
        exposures.pixel_um,
        hit_details.theta_deg
    from hits
    inner join hit_details
        on
            hits.obs_id = hit_details.obs_id
            and hits.chip = hit_details.chip
            and hits.read_id = hit_details.read_id
            and hits.hit_id = hit_details.hit_id
    inner join exposures on hits.obs_id = exposures.obs_id
)

select
    obs_id,
    chip,
    read_id,
    hit_id,
    instrument,
    length_px,
    theta_deg,
    sqrt(pow(length_px * pixel_um, 2) + pow(thickness_um, 2)) as path_um,
    90 - degrees(atan(thickness_um / (pixel_um * length_px))) as incidence_deg,
    energy_e * 0.00371 as energy_kev
from boxes
