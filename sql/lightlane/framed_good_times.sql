-- Good times of each chip, measured in seconds or, for a detector with frames, in the frames inside.
-- Frames are `frame_s` apart, the one numbered 0 at `first_s`, with the chip's first photon; without frames
-- `frame_s` and `first_frame` are null.
--
-- grain   one row per obs_id, detector_id, start_s
-- reads   photons, observations, chip_good_times
-- source  Chandra Proposers' Observatory Guide, ch. 6, ACIS frame times

with chips as (
    select
        obs_id,
        coalesce(detector_id, -1) as detector_id,
        min(arrival_s) as first_s
    from photons
    group by obs_id, coalesce(detector_id, -1)
),

frames as (
    select
        obs_id,
        frame_time_s as frame_s
    from observations
    where frame_time_s > 0
),

framed as (
    select
        times.obs_id,
        times.detector_id,
        times.start_s,
        times.stop_s,
        frames.frame_s,
        chips.first_s,
        ceil((times.start_s - chips.first_s) / frames.frame_s) as first_frame,
        ceil((times.stop_s - chips.first_s) / frames.frame_s) - 1 as last_frame
    from chip_good_times as times
    inner join chips on times.obs_id = chips.obs_id and times.detector_id = chips.detector_id
    left join frames on times.obs_id = frames.obs_id
),

inside as (
    -- a quotient can round across an end, which costs the frame that lies there
    select
        obs_id,
        detector_id,
        start_s,
        stop_s,
        frame_s,
        first_s,
        first_frame + cast(first_s + first_frame * frame_s < start_s as integer) as first_frame,
        last_frame - cast(first_s + last_frame * frame_s >= stop_s as integer) as last_frame
    from framed
)

select
    obs_id,
    detector_id,
    start_s,
    stop_s,
    frame_s,
    first_s,
    first_frame,
    coalesce(last_frame - first_frame + 1, stop_s - start_s) as length
from inside
