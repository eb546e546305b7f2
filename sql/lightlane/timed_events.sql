-- Photons between two times, which count from the observation's start.
-- Where no start is stated it is the first good time.
--
-- grain   one row per obs_id, event_id
-- reads   good_events, observations, good_times
-- stage   3
-- param   $from_s = 0.0     first second, kept     [s]
-- param   $until_s = 1e300  last second, not kept  [s]  above $from_s

with starts as (
    select
        observations.obs_id,
        coalesce(observations.start_s, min(good_times.start_s)) as start_s
    from observations
    left join good_times on observations.obs_id = good_times.obs_id
    group by observations.obs_id, observations.start_s
)

select
    good_events.obs_id,
    good_events.event_id,
    good_events.detector_id,
    good_events.arrival_s,
    good_events.wavelength_nm,
    good_events.wavelength_bin,
    good_events.is_good
from good_events
inner join starts on good_events.obs_id = starts.obs_id
where
    good_events.arrival_s - starts.start_s >= $from_s
    and good_events.arrival_s - starts.start_s < $until_s
