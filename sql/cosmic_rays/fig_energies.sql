-- Charge of hits by the decimal logarithm of electrons: the share of a detector's hits in equal bins.
--
-- grain   one row per instrument, log_energy
-- reads   hit_histograms

select
    instrument,
    log10(bin_low * bin_high) / 2 as log_energy,
    nullif(hit_share, 0) as hit_share
from hit_histograms
where quantity = 'energy_e'
order by instrument, log_energy
