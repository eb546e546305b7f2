-- Photons with the number of their wavelength bin, from 0; bins are equally wide and hold their lower edge.
-- Photons outside the band, or without a wavelength, are left out.
--
-- grain   one row per obs_id, event_id
-- reads   banded_events
-- stage   4
-- param   $min_nm = 0.1  lower edge of the first bin           [nm]
-- param   $max_nm = 1.0  upper edge of the last bin, not kept  [nm]  above $min_nm
-- param   $n_bins = 100  bins                                  [1]   at least 1, at most 1000000

select
    obs_id,
    event_id,
    detector_id,
    arrival_s,
    wavelength_nm,
    -- just below the upper edge the quotient can round to n_bins
    cast(least(
        floor((wavelength_nm - $min_nm) / ($max_nm - $min_nm) * $n_bins),
        $n_bins - 1
    ) as integer) as wavelength_bin,
    is_good
from banded_events
where wavelength_nm >= $min_nm and wavelength_nm < $max_nm
