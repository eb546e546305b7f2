-- Detectors with the span of their darks, and what of it is in the lake.
-- A detector without an end is still at work; in a pause it took none.
--
-- grain   one row per instrument
-- reads   exposures
-- source  Miles et al. (2021), ApJ 918, 86, for the darks there are

with spans (instrument, first_month, end_time, pause_start_time, pause_stop_time) as (
    values
    ('ACS_HRC', timestamp '2002-03-01', timestamp '2007-01-27', null, null),
    ('ACS_WFC', timestamp '2002-03-01', null, timestamp '2007-01-27', timestamp '2009-05-01'),
    ('NICMOS_NIC1', timestamp '1997-02-01', timestamp '2009-10-22', null, null),
    ('NICMOS_NIC2', timestamp '1997-02-01', timestamp '2009-10-22', null, null),
    ('NICMOS_NIC3', timestamp '1997-02-01', timestamp '2009-10-22', null, null),
    ('STIS_CCD', timestamp '1997-02-01', null, timestamp '2004-08-03', timestamp '2009-05-01'),
    ('WFC3_IR', timestamp '2009-05-01', null, null, null),
    ('WFC3_UVIS', timestamp '2009-05-01', null, null, null),
    ('WFPC2', timestamp '1994-01-01', timestamp '2009-06-01', null, null)
),

stored as (
    select
        instrument,
        count(*) as n_exposures,
        min(start_time) as first_start_time,
        max(start_time) as last_start_time
    from exposures
    group by instrument
)

select
    spans.instrument,
    spans.first_month,
    spans.end_time,
    spans.pause_start_time,
    spans.pause_stop_time,
    coalesce(stored.n_exposures, 0) as n_exposures,
    stored.first_start_time,
    stored.last_start_time
from spans
left join stored on spans.instrument = stored.instrument
