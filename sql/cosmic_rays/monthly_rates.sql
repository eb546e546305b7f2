-- Median rate of each month and detector, with its quartiles; months without exposures are no rows.
--
-- grain   one row per instrument, month
-- reads   clean_rates

with dated (instrument, month, rate_per_s_cm2, n_hits) as (
    select
        instrument,
        date_trunc('month', start_time),
        rate_per_s_cm2,
        n_hits
    from clean_rates
)

select
    instrument,
    month,
    count(*) as n_exposures,
    sum(n_hits) as n_hits,
    quantile_cont(rate_per_s_cm2, 0.25) as rate_quartile_per_s_cm2,
    median(rate_per_s_cm2) as rate_per_s_cm2,
    quantile_cont(rate_per_s_cm2, 0.75) as rate_third_quartile_per_s_cm2
from dated
group by instrument, month
