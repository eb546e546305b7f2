-- Photons per second and nanometre against wavelength, in the time that is good on every chip with photons.
-- An empty bin has the uncertainty of one photon. Where only channels are known, bins narrower
-- than a channel hold the photons of none or of several: that is the detector's, not the source's.
--
-- grain   one row per obs_id, wavelength_nm
-- reads   wavelength_binned_events, common_good_times
-- param   $min_nm = 0.1  lower edge of the first bin  [nm]
-- param   $max_nm = 1.0  upper edge of the last bin   [nm]  above $min_nm
-- param   $n_bins = 100  bins                         [1]   at least 1, at most 1000000

with exposures as (
    select
        obs_id,
        sum(stop_s - start_s) as exposure_s
    from common_good_times
    group by obs_id
),

counted as (
    -- counts and exposure are of the same time, or chips that listened longer would look brighter
    select
        events.obs_id,
        events.wavelength_bin,
        count(*) filter (events.arrival_s < times.stop_s) as n_photons
    from wavelength_binned_events as events
    asof inner join common_good_times as times
        on events.obs_id = times.obs_id and events.arrival_s >= times.start_s
    group by events.obs_id, events.wavelength_bin
),

spine as (
    select
        obs_id,
        unnest(range($n_bins)) as wavelength_bin
    from (select distinct obs_id from counted) as observed
),

binned as (
    select
        spine.obs_id,
        $min_nm + ($max_nm - $min_nm) * (spine.wavelength_bin + 0.5) / $n_bins as wavelength_nm,
        exposures.exposure_s * ($max_nm - $min_nm) / $n_bins as exposure_s_nm,
        coalesce(counted.n_photons, 0) as n_photons
    from spine
    inner join exposures on spine.obs_id = exposures.obs_id
    left join counted on spine.obs_id = counted.obs_id and spine.wavelength_bin = counted.wavelength_bin
)

select
    obs_id,
    wavelength_nm,
    n_photons / exposure_s_nm as flux_per_s_nm,
    sqrt(greatest(n_photons, 1)) / exposure_s_nm as flux_err_per_s_nm
from binned
order by obs_id, wavelength_nm
