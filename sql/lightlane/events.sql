-- Photons as a chain of filters sees them: each filter takes these columns and gives them back.
--
-- grain   one row per obs_id, event_id
-- reads   photons

select
    obs_id,
    event_id,
    detector_id,
    arrival_s,
    wavelength_nm,
    cast(null as integer) as wavelength_bin,
    is_good_time and is_good_grade and is_good_status as is_good
from photons
