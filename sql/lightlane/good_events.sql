-- Photons in good time, of good grade and status.
--
-- grain   one row per obs_id, event_id
-- reads   events
-- stage   2

select
    obs_id,
    event_id,
    detector_id,
    arrival_s,
    wavelength_nm,
    wavelength_bin,
    is_good
from events
where is_good
