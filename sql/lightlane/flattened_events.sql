-- Photons thinned, in each observation, to as many in every wavelength bin as the poorest bin has.
-- Thinning to a share p turns a Fano factor F into 1 + p (F - 1): it hides variability in bright bins. See
-- `flattening_losses` for what is lost. Photons without a wavelength bin are left out.
--
-- grain   one row per obs_id, event_id
-- reads   wavelength_binned_events
-- stage   5, after wavelength_binned_events
-- param   $occupied_only = true  the poorest bin that has photons; false: an empty bin leaves none  [1]
-- param   $n_bins = 100          wavelength bins  [1]  at least 1, at most 1000000
-- param   $flatten_seed = 1      another seed, other photons                                        [1]
-- source  Fano (1947), Phys. Rev. 72, 26, for F; Cox & Isham (1980), Point Processes, ch. 4, for thinning

with sizes as (
    select
        obs_id,
        wavelength_bin,
        count(*) as n_photons
    from wavelength_binned_events
    where wavelength_bin is not null
    group by obs_id, wavelength_bin
),

smallest as (
    select
        obs_id,
        case when $occupied_only or count(*) >= $n_bins then min(n_photons) else 0 end as n_kept
    from sizes
    group by obs_id
),

ranked as (
    -- hash of a hash: two seeds' plain hashes differ by one constant, the same for all photons
    select
        obs_id,
        event_id,
        detector_id,
        arrival_s,
        wavelength_nm,
        wavelength_bin,
        is_good,
        row_number() over (
            partition by obs_id, wavelength_bin
            order by hash(hash(obs_id, event_id, 'flatten', $flatten_seed)), event_id
        ) as place
    from wavelength_binned_events
    where wavelength_bin is not null
)

select
    ranked.obs_id,
    ranked.event_id,
    ranked.detector_id,
    ranked.arrival_s,
    ranked.wavelength_nm,
    ranked.wavelength_bin,
    ranked.is_good
from ranked
inner join smallest on ranked.obs_id = smallest.obs_id
where ranked.place <= smallest.n_kept
