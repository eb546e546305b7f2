-- Photons of Chandra HRC with the times that are theirs, which the detector stores with the trigger after.
-- Comes before any filter that drops photons, since the neighbour in the list holds the tag. An observation's
-- last photon has no tag and is left out, as are all photons of other instruments, whose tags are right. A
-- photon is good only if its true time is in the good times of its chip as well, and not before its own tag,
-- where the clock of the telemetry ran backwards. A list that was filtered already has lost neighbours: its
-- shifted times are guesses.
--
-- grain   one row per obs_id, event_id
-- reads   events, observations, chip_good_times
-- stage   1
-- source  Chandra Proposers' Observatory Guide, ch. 7, HRC anomalies

with tagged as (
    select
        events.obs_id,
        events.event_id,
        events.detector_id,
        coalesce(events.detector_id, -1) as chip,
        events.arrival_s as stored_s,
        lead(events.arrival_s) over (partition by events.obs_id order by events.event_id) as true_arrival_s,
        events.wavelength_nm,
        events.wavelength_bin,
        events.is_good
    from events
    inner join observations on events.obs_id = observations.obs_id
    where observations.instrument ilike 'HRC%'
)

select
    tagged.obs_id,
    tagged.event_id,
    tagged.detector_id,
    tagged.true_arrival_s as arrival_s,
    tagged.wavelength_nm,
    tagged.wavelength_bin,
    tagged.is_good
    and tagged.true_arrival_s >= tagged.stored_s
    and coalesce(tagged.true_arrival_s < times.stop_s, false) as is_good
from tagged
asof left join chip_good_times as times
    on
        tagged.obs_id = times.obs_id
        and tagged.chip = times.detector_id
        and tagged.true_arrival_s >= times.start_s
where tagged.true_arrival_s is not null
