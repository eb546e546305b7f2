-- Hits to expect in an exposure, from measured darks of the same detector near its place and time.
-- The rate is the median of near darks. The interval, of about 95 %, allows for the chance of a single
-- count, for that of the counts it rests on, and for how near darks differ. Where none is near in place and
-- time, those near in place at any time stand in, and the solar cycle is missed; where none is near in place
-- all is null, for the anomaly has many times the rate elsewhere. `basis` tells which. A place is that of an
-- exposure's middle.
--
-- grain   one row per instrument
-- reads   rates, detectors
-- param   $detector         detector
-- param   $begin_time       start of the exposure, UTC
-- param   $open_s           exposure time, to which readout is added  [s]    above 0
-- param   $lon_deg          east longitude of Hubble                  [deg]
-- param   $lat_deg          geocentric latitude of Hubble             [deg]  at least -90, at most 90
-- param   $near_deg = 10.0  farthest that a place is near             [deg]  above 0
-- param   $near_d = 180.0   farthest that a time is near              [d]    above 0

with judged as (
    select
        instrument,
        rate_per_s_cm2,
        n_hits,
        area_cm2 * ($open_s + integration_s - exposure_s) as exposure_s_cm2,
        abs(epoch(start_time) - epoch(cast($begin_time as timestamp))) <= $near_d * 86400 as is_near_in_time,
        sin(radians(middle_latitude_deg)) * sin(radians($lat_deg))
        + cos(radians(middle_latitude_deg)) * cos(radians($lat_deg))
        * cos(radians(middle_longitude_deg - $lon_deg)) >= cos(radians($near_deg)) as is_near_in_place
    from rates
    where is_dark and instrument = upper($detector) and isfinite(rate_per_s_cm2)
),

near as (
    select
        instrument,
        rate_per_s_cm2,
        n_hits,
        exposure_s_cm2,
        is_near_in_time
    from judged
    where is_near_in_place
    qualify is_near_in_time = max(is_near_in_time) over ()
),

summed as (
    select
        instrument,
        count(*) as n_near,
        case when bool_and(is_near_in_time) then 'place and time' else 'place' end as basis,
        median(rate_per_s_cm2) * median(exposure_s_cm2) as n_expected,
        coalesce(var_samp(rate_per_s_cm2), 0) * power(median(exposure_s_cm2), 2) as scatter,
        sum(n_hits) as n_counted
    from near
    group by instrument
),

bounded as (
    select
        instrument,
        n_near,
        basis,
        n_expected,
        1.96 * sqrt(
            greatest(n_expected, 1) * (1 + n_expected / greatest(n_counted, 1)) + scatter
        ) as margin
    from summed
)

select
    detectors.instrument,
    coalesce(bounded.basis, 'nothing near') as basis,
    coalesce(bounded.n_near, 0) as n_near,
    bounded.n_expected,
    bounded.n_expected - least(bounded.margin, bounded.n_expected) as n_expected_low,
    bounded.n_expected + bounded.margin as n_expected_high
from detectors
left join bounded on detectors.instrument = bounded.instrument
where detectors.instrument = upper($detector)
