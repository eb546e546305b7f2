-- Exposures that each cut of `clean_rates` leaves, one cut after the other.
--
-- grain   one row per instrument
-- reads   judged_rates

select
    instrument,
    count(*) as n_measured,
    count(*) filter (has_rate) as n_with_rate,
    count(*) filter (has_rate and is_dark_enough) as n_dark,
    count(*) filter (is_sound) as n_long,
    count(*) filter (is_kept) as n_kept
from judged_rates
group by instrument
