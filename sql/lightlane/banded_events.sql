-- Photons inside one wavelength band; those without a wavelength are left out.
--
-- grain   one row per obs_id, event_id
-- reads   good_events
-- stage   3
-- param   $min_nm = 0.1  shortest wavelength, kept     [nm]
-- param   $max_nm = 1.0  longest wavelength, not kept  [nm]  above $min_nm

select
    obs_id,
    event_id,
    detector_id,
    arrival_s,
    wavelength_nm,
    wavelength_bin,
    is_good
from good_events
where wavelength_nm >= $min_nm and wavelength_nm < $max_nm
