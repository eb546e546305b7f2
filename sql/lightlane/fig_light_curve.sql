-- Count rate against time since the observation's first good time; bins without exposure have no rate.
-- An empty bin has the uncertainty of one photon.
--
-- grain   one row per obs_id, elapsed_s
-- reads   light_curves
-- param   $bin_s = 100.0  width of a bin  [s]  above 0

select
    obs_id,
    (time_bin + 0.5) * $bin_s as elapsed_s,
    n_photons / nullif(exposure_s, 0) as rate_per_s,
    sqrt(greatest(n_photons, 1)) / nullif(exposure_s, 0) as rate_err_per_s
from light_curves
order by obs_id, elapsed_s
