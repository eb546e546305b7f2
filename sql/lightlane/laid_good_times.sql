-- Good times of each chip laid end to end, from which a time can be drawn by one number in (0, 1).
-- Lengths are seconds or, for a detector with frames, frames; an interval without a frame is left out.
--
-- grain   one row per obs_id, detector_id, start_s
-- reads   framed_good_times

with laid as (
    select
        obs_id,
        detector_id,
        start_s,
        stop_s,
        frame_s,
        first_s,
        first_frame,
        length,
        sum(length) over (partition by obs_id, detector_id) as total_length,
        coalesce(sum(length) over (
            partition by obs_id, detector_id
            order by start_s
            rows between unbounded preceding and 1 preceding
        ), 0) as laid_before
    from framed_good_times
    where length > 0
)

select
    obs_id,
    detector_id,
    start_s,
    stop_s,
    frame_s,
    first_s,
    first_frame,
    length,
    total_length,
    laid_before,
    laid_before / total_length as draw_from
from laid
