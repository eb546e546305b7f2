-- Sizes of hits by the decimal logarithm of pixels: the share of a detector's hits in equal bins.
--
-- grain   one row per instrument, log_size
-- reads   hit_histograms

select
    instrument,
    log10(bin_low * bin_high) / 2 as log_size,
    nullif(hit_share, 0) as hit_share
from hit_histograms
where quantity = 'size_px'
order by instrument, log_size
