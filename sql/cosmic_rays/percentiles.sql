-- Quartiles of what was measured of every hit, exact and interpolated, over the long darks of each detector.
-- `quantity` is shape, n_pixels, size_px or energy_e; hits of which it is not known do not count.
--
-- grain   one row per instrument, quantity
-- reads   measured_hits
-- source  Miles et al. (2021), ApJ 918, 86; there percentiles are put together from those of chunks

with quartiles as (
    select
        instrument,
        quantile_cont(shape, [0.25, 0.5, 0.75]) as of_shape,
        quantile_cont(cast(n_pixels as double), [0.25, 0.5, 0.75]) as of_n_pixels,
        quantile_cont(size_px, [0.25, 0.5, 0.75]) as of_size,
        quantile_cont(energy_e, [0.25, 0.5, 0.75]) as of_energy,
        [count(shape), count(n_pixels), count(size_px), count(energy_e)] as n_hits
    from measured_hits
    group by instrument
),

listed as (
    select
        instrument,
        unnest(['shape', 'n_pixels', 'size_px', 'energy_e']) as quantity,
        unnest(n_hits) as n_hits,
        unnest([of_shape, of_n_pixels, of_size, of_energy]) as quartiles
    from quartiles
)

select
    instrument,
    quantity,
    n_hits,
    quartiles[1] as percentile_25,
    quartiles[2] as percentile_50,
    quartiles[3] as percentile_75
from listed
