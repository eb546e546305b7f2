-- Shapes of hits, from round to a line: the share of a detector's hits in equal bins.
--
-- grain   one row per instrument, shape
-- reads   hit_histograms

select
    instrument,
    (bin_low + bin_high) / 2 as shape,
    hit_share
from hit_histograms
where quantity = 'shape'
order by instrument, shape
