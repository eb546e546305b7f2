-- What flattening would leave of each observation: look here before `flattened_events`.
-- One photon in a bin of its own leaves one photon a bin; `n_kept` counts the poorest bin that has photons.
--
-- grain   one row per obs_id
-- reads   wavelength_binned_events
-- param   $n_bins = 100  wavelength bins  [1]  at least 1, at most 1000000
-- source  Cox & Isham (1980), Point Processes, ch. 4, for what thinning does

with sizes as (
    select
        obs_id,
        wavelength_bin,
        count(*) as n_photons
    from wavelength_binned_events
    where wavelength_bin is not null
    group by obs_id, wavelength_bin
)

select
    obs_id,
    sum(n_photons) as n_photons,
    $n_bins - count(*) as n_empty_bins,
    min(n_photons) as n_kept_per_bin,
    min(n_photons) * count(*) as n_kept,
    min(n_photons) * count(*) / sum(n_photons) as kept_share
from sizes
group by obs_id
