-- Exposures by their rate, detector by detector, empty bins as 0; bins hold their lower edge.
-- Rates outside the bins are in none.
--
-- grain   one row per instrument, bin
-- reads   clean_rates
-- param   $n_bins = 60     bins                         [1]           at least 1, at most 10000
-- param   $low_rate = 0.0  lower edge of the first bin  [1 / (s cm2)]
-- param   $high_rate = 3.0 upper edge of the last bin   [1 / (s cm2)]  above $low_rate
-- source  Miles et al. (2021), ApJ 918, 86

with counted as (
    select
        instrument,
        cast(floor((rate_per_s_cm2 - $low_rate) / ($high_rate - $low_rate) * $n_bins) as integer) as bin,
        count(*) as n_exposures
    from clean_rates
    group by instrument, bin
),

spine as (
    select
        observed.instrument,
        cast(unnest(range($n_bins)) as integer) as bin
    from (select distinct instrument from counted) as observed
)

select
    spine.instrument,
    spine.bin,
    $low_rate + ($high_rate - $low_rate) * spine.bin / $n_bins as bin_low_per_s_cm2,
    $low_rate + ($high_rate - $low_rate) * (spine.bin + 1) / $n_bins as bin_high_per_s_cm2,
    coalesce(counted.n_exposures, 0) as n_exposures
from spine
left join counted on spine.instrument = counted.instrument and spine.bin = counted.bin
