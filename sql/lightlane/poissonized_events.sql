-- The same photons at times drawn anew, uniform in the good time of each one's chip, as if nothing varied.
-- Number, wavelength and bin of each photon stay. Where the detector has frames a photon is drawn onto one of
-- them, since the control must have the frames that the observation has. A photon of a chip that has no good
-- time, or no frame in it, has no time to be drawn from and is left out.
--
-- grain   one row per obs_id, event_id
-- reads   flattened_events, laid_good_times
-- stage   6
-- param   $share = 1.0        photons that get a new time; the others keep theirs  [1]  above 0, at most 1
-- param   $control_seed = 2   another seed, other times                            [1]
-- source  Cox & Lewis (1966), The Statistical Analysis of Series of Events, ch. 2: given their number,
--         the times of a Poisson process are uniform

with drawn as (
    -- hash of a hash: two seeds' plain hashes differ by one constant, the same for all photons;
    -- 52 bits, because a 53rd would round the largest draw to 1
    select
        obs_id,
        event_id,
        detector_id,
        coalesce(detector_id, -1) as chip,
        arrival_s,
        wavelength_nm,
        wavelength_bin,
        is_good,
        (cast(hash(hash(obs_id, event_id, 'time', $control_seed)) >> 12 as double) + 0.5)
        / 4503599627370496 as time_draw,
        (cast(hash(hash(obs_id, event_id, 'share', $control_seed)) >> 12 as double) + 0.5)
        / 4503599627370496 as share_draw
    from flattened_events
),

placed as (
    select
        drawn.obs_id,
        drawn.event_id,
        drawn.detector_id,
        drawn.arrival_s,
        drawn.wavelength_nm,
        drawn.wavelength_bin,
        drawn.is_good,
        drawn.share_draw,
        laid.start_s,
        laid.stop_s,
        laid.frame_s,
        laid.first_s,
        laid.first_frame,
        laid.length,
        greatest(drawn.time_draw * laid.total_length - laid.laid_before, 0) as into_length
    from drawn
    asof inner join laid_good_times as laid
        on
            drawn.obs_id = laid.obs_id
            and drawn.chip = laid.detector_id
            and drawn.time_draw >= laid.draw_from
)

select
    obs_id,
    event_id,
    detector_id,
    case
        when share_draw >= $share then arrival_s
        when frame_s is not null
            then first_s + (first_frame + least(floor(into_length), length - 1)) * frame_s
        when start_s + into_length < stop_s then start_s + into_length
        -- the sum rounded to the end, which is not in the interval
        else start_s
    end as arrival_s,
    wavelength_nm,
    wavelength_bin,
    is_good
from placed
