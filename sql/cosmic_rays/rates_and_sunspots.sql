-- Median rate of each month beside the Sun's activity; months of which either is not known are no rows.
--
-- grain   one row per instrument, month
-- reads   monthly_rates, solar_indices

select
    rates.instrument,
    rates.month,
    rates.n_exposures,
    rates.rate_per_s_cm2,
    sun.sunspot_number,
    sun.smoothed_sunspot_number,
    sun.radio_flux,
    sun.smoothed_radio_flux
from monthly_rates as rates
inner join solar_indices as sun on rates.month = sun.month
