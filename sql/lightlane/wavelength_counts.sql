-- Photons per wavelength bin, empty bins as 0, for each observation that has any.
--
-- grain   one row per obs_id, wavelength_bin
-- reads   wavelength_binned_events
-- param   $min_nm = 0.1  lower edge of the first bin  [nm]
-- param   $max_nm = 1.0  upper edge of the last bin   [nm]  above $min_nm
-- param   $n_bins = 100  bins                         [1]   at least 1, at most 1000000

with counted as (
    select
        obs_id,
        wavelength_bin,
        count(*) as n_photons
    from wavelength_binned_events
    group by obs_id, wavelength_bin
),

observed as (
    select distinct obs_id
    from counted
),

spine as (
    select
        obs_id,
        cast(unnest(range($n_bins)) as integer) as wavelength_bin
    from observed
)

select
    spine.obs_id,
    spine.wavelength_bin,
    $min_nm + ($max_nm - $min_nm) * spine.wavelength_bin / $n_bins as bin_low_nm,
    $min_nm + ($max_nm - $min_nm) * (spine.wavelength_bin + 1) / $n_bins as bin_high_nm,
    coalesce(counted.n_photons, 0) as n_photons
from spine
left join counted
    on spine.obs_id = counted.obs_id and spine.wavelength_bin = counted.wavelength_bin
