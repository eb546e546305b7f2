-- Good times by which the photons of each chip are judged: the chip's own table, else its observation's.
-- Intervals that touch or overlap are one; detector -1 is the observation, and a photon without a chip. In an
-- observation without photons it is each table's own.
--
-- grain   one row per obs_id, detector_id, start_s
-- reads   photons, good_times
-- source  XMM-Newton Data Files Handbook, EPIC event lists: a table of good times per chip

with seen as (
    select distinct
        obs_id,
        coalesce(detector_id, -1) as detector_id
    from photons
),

chips as (
    select
        obs_id,
        detector_id
    from seen
    union
    select
        obs_id,
        detector_id
    from good_times
    where obs_id not in (select obs_id from seen)
),

listed as (
    -- -1 is below every chip, so the largest of the tables that apply is the chip's own
    select
        chips.obs_id,
        chips.detector_id,
        times.start_s,
        times.stop_s
    from chips
    inner join good_times as times
        on chips.obs_id = times.obs_id and times.detector_id in (chips.detector_id, -1)
    qualify
        times.detector_id = max(times.detector_id) over (partition by chips.obs_id, chips.detector_id)
),

reached as (
    -- a table's key has start_s, so no two intervals of it start together
    select
        obs_id,
        detector_id,
        start_s,
        stop_s,
        max(stop_s) over (
            partition by obs_id, detector_id
            order by start_s
            rows between unbounded preceding and 1 preceding
        ) as reached_s
    from listed
    where stop_s > start_s
),

numbered as (
    select
        obs_id,
        detector_id,
        start_s,
        stop_s,
        count(*) filter (where reached_s is null or start_s > reached_s) over (
            partition by obs_id, detector_id
            order by start_s
            rows between unbounded preceding and current row
        ) as island
    from reached
)

select
    obs_id,
    detector_id,
    min(start_s) as start_s,
    max(stop_s) as stop_s
from numbered
group by obs_id, detector_id, island
