-- Histograms of shape, pixels, size, charge and path length of each detector's hits, empty bins as 0.
-- Bins hold their lower edge, the last one its upper edge too; those of `shape` are equally wide, the others
-- in the logarithm. A hit outside the bins is in none; `hit_share` is of all hits that have a value.
--
-- grain   one row per instrument, quantity, bin
-- reads   measured_hits
-- param   $n_bins = 40  bins  [1]  at least 1, at most 10000
-- source  Miles et al. (2021), ApJ 918, 86

with scales (quantity, low, high, is_log) as (
    values
    ('shape', 0.0, 1.0, false),
    ('n_pixels', 1.0, 1000.0, true),
    ('size_px', 0.1, 10.0, true),
    ('energy_e', 10.0, 1000000.0, true),
    ('path_um', 60.0, 1000.0, true)
),

bins as (
    select
        quantity,
        low,
        high,
        is_log,
        cast(unnest(range($n_bins)) as integer) as bin
    from scales
),

listed as (
    select
        instrument,
        unnest(['shape', 'n_pixels', 'size_px', 'energy_e', 'path_um']) as quantity,
        unnest([shape, n_pixels, size_px, energy_e, path_um]) as worth
    from measured_hits
),

known as (
    select
        instrument,
        quantity,
        count(*) as n_hits
    from listed
    where worth is not null
    group by instrument, quantity
),

counted as (
    select
        listed.instrument,
        listed.quantity,
        case
            when worth = high then $n_bins - 1
            when not is_log then floor((worth - low) / (high - low) * $n_bins)
            when worth > 0 then floor(ln(worth / low) / ln(high / low) * $n_bins)
        end as bin,
        count(*) as n_hits
    from listed
    inner join scales on listed.quantity = scales.quantity
    group by listed.instrument, listed.quantity, bin
)

select
    known.instrument,
    known.quantity,
    bins.bin,
    case
        when bins.is_log then bins.low * power(bins.high / bins.low, bins.bin / $n_bins)
        else bins.low + (bins.high - bins.low) * bins.bin / $n_bins
    end as bin_low,
    case
        when bins.is_log then bins.low * power(bins.high / bins.low, (bins.bin + 1) / $n_bins)
        else bins.low + (bins.high - bins.low) * (bins.bin + 1) / $n_bins
    end as bin_high,
    coalesce(counted.n_hits, 0) as n_hits,
    coalesce(counted.n_hits, 0) / known.n_hits as hit_share
from known
inner join bins on known.quantity = bins.quantity
left join counted
    on known.instrument = counted.instrument and known.quantity = counted.quantity and bins.bin = counted.bin
