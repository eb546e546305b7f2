-- Rate against time, the mean of a month's windows, over the detector's median and outside the anomaly.
--
-- grain   one row per instrument, month
-- reads   rolling_rates

with dated (instrument, month, relative_rate) as (
    select
        instrument,
        date_trunc('month', start_time),
        relative_rate
    from rolling_rates
    where relative_rate is not null
)

select
    instrument,
    month,
    avg(relative_rate) as relative_rate
from dated
group by instrument, month
order by instrument, month
