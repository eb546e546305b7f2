"""Archives' clocks tell the same instants as astropy and cdflib."""

import warnings

import cdflib
import numpy as np
import pytest
from astropy.time import Time
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lake.clocks import (
    SYSTEMS,
    UNIT_SECONDS,
    Clock,
    cdf_epoch16_to_utc,
    cdf_epoch_to_utc,
    gps_to_utc,
    mission_to_utc,
    mjd_to_utc,
    tt2000_to_utc,
    unix_to_utc,
    utc_to_cdf_epoch,
    utc_to_cdf_epoch16,
    utc_to_gps,
    utc_to_mission,
    utc_to_mjd,
    utc_to_tt2000,
    utc_to_unix,
)
from lake.times import from_utc
from tests.builders.instants import astropy_time, instants

NEW_YEAR = np.datetime64("2020-01-01", "us")
MJD_2020 = 58849
FILL = np.iinfo(np.int64).min


@given(
    seconds=st.floats(1e6, 9e8),
    reference=st.sampled_from(
        [(50814, 0.0), (56658, 0.000777592592592593), (49353, 0.000696574074), (55197, 0.00076601852)]
    ),
    zero=st.sampled_from([0.0, -1.0, 3.37842846]),
)
@settings(deadline=None, max_examples=60)
def test_mission_times_of_mjdref_agree_with_astropy(seconds, reference, zero):
    clock = Clock.of_header({"MJDREFI": reference[0], "MJDREFF": reference[1], "TIMEZERO": zero, "TIMESYS": "TT"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zero_point = Time(reference[0], reference[1], format="mjd", scale="tt")
        theirs = Time(zero_point.jd1, zero_point.jd2 + (seconds + zero) / 86400, format="jd", scale="tt").utc
        theirs.precision = 6
        text = str(theirs.isot)
    assume(":60" not in text)
    assert abs((mission_to_utc(seconds, clock) - np.datetime64(text, "us")).astype(int)) <= 2
    assert_allclose(utc_to_mission(mission_to_utc(seconds, clock), clock), seconds, rtol=0, atol=2e-6)


def test_a_single_mjdref_means_the_same_as_its_two_parts():
    one = Clock.of_header({"MJDREF": 50814.5, "TIMESYS": "TT"})
    two = Clock.of_header({"MJDREFI": 50814, "MJDREFF": 0.5, "TIMESYS": "TT"})
    assert one.epoch == two.epoch == np.datetime64("1998-01-01T12", "us")


@pytest.mark.parametrize("header", [{"MJDREFI": MJD_2020, "MJDREF": 1.0}, {"MJDREF": MJD_2020, "MJDREFF": 0.5}])
def test_a_split_mjdref_goes_before_a_single_one_and_a_part_alone_counts_for_nothing(header):
    assert Clock.of_header({**header, "TIMESYS": "UTC"}).epoch == NEW_YEAR


@pytest.mark.parametrize(("name", "ahead_s"), [
    ("UTC", 0.0), ("TAI", 37.0), ("TT", 69.184), ("TDT", 69.184), ("ET", 69.184), ("TDB", 69.184), ("GPS", 18.0),
])  # fmt: skip
def test_in_2020_each_system_was_so_far_ahead_of_utc(name, ahead_s):
    clock = Clock.of_header({"MJDREFI": MJD_2020, "TIMESYS": name})
    assert_allclose(utc_to_mission(NEW_YEAR, clock), ahead_s, rtol=0, atol=2e-3 if name == "TDB" else 1e-6)
    assert name in SYSTEMS


@pytest.mark.parametrize(("names", "in_a_day"), [
    (("d", "day", "days"), 1), (("h",), 24), (("min",), 1440), (("s", "sec", "second", "seconds", "S"), 86400),
    (("ms",), 86_400_000), (("us",), 86_400_000_000),
    (("ns",), 86_400_000_000_000),
])  # fmt: skip
def test_a_day_has_so_many_of_each_unit(names, in_a_day):
    for name in names:
        clock = Clock.of_header({"MJDREFI": MJD_2020, "TIMESYS": "UTC", "TIMEUNIT": name})
        assert mission_to_utc(in_a_day, clock) == np.datetime64("2020-01-02", "us")
        assert_allclose(utc_to_mission(np.datetime64("2020-01-02", "us"), clock), in_a_day)


def test_every_system_and_unit_that_is_known_is_tried_above():
    assert set(SYSTEMS) == {"UTC", "TAI", "TT", "TDT", "ET", "TDB", "GPS"}
    assert set(UNIT_SECONDS) == {"d", "day", "days", "h", "min", "s", "sec", "second", "seconds", "ms", "us", "ns"}


def test_thirty_years_of_microseconds_are_an_instant():
    clock = Clock.of_header({"MJDREFI": MJD_2020, "TIMESYS": "UTC", "TIMEUNIT": "us"})
    assert mission_to_utc(946_814_400_000_000, clock) == np.datetime64("2050-01-01T12", "us")


def test_times_in_days_keep_their_microseconds():
    clock = Clock.of_header({"MJDREFI": 50000, "TIMEUNIT": "d", "TIMESYS": "UTC", "TIMEZERO": 0.5})
    assert mission_to_utc(814.25, clock) == np.datetime64("1998-01-01T18", "us")


@pytest.mark.parametrize("header", [
    {}, {"MJDREFF": 0.5}, {"MJDREF": 50814.0, "TIMESYS": "LST"}, {"MJDREF": 50814.0, "TIMEUNIT": "fortnight"},
    {"MJDREF": "abc"}, {"MJDREF": None}, {"MJDREF": np.nan}, {"MJDREF": 1e300}, {"MJDREF": [1, 2]},
    {"MJDREFI": 50814, "MJDREFF": np.inf}, {"MJDREF": 50814.0, "TIMEZERO": "abc"},
    {"MJDREF": 50814.0, "TIMEZERO": np.nan},
])  # fmt: skip
def test_a_header_that_fixes_no_clock_gives_none(header):
    assert Clock.of_header(header) is None


def test_the_observation_of_m82_starts_when_its_header_says():
    clock = Clock.of_header({"MJDREF": 50814.0, "TIMESYS": "TT", "TIMEZERO": 0.0})
    # DATE-OBS is in TT for Chandra: 2008-10-04T00:44:07
    assert from_utc(mission_to_utc(339468247.43077, clock), "tt") == np.datetime64("2008-10-04T00:44:07.430770", "us")


@given(utc=instants)
def test_mjd_gps_and_unix_times_come_back(utc):
    assert (np.abs((mjd_to_utc(utc_to_mjd(utc)) - utc).astype(int)) <= 1).all()
    assert (unix_to_utc(utc_to_unix(utc)) == utc).all()
    assert (gps_to_utc(utc_to_gps(utc)) == utc).all()


def test_a_fraction_carries_the_digits_that_a_date_loses():
    step = 1e-6 / 86400
    times = mjd_to_utc(np.full(3, MJD_2020 + 0.25), fraction=[0.0, step, 0.25])
    assert (times - times[0]).astype(int).tolist() == [0, 1, 21_600_000_000]
    assert times[0] == np.datetime64("2020-01-01T06", "us")


@settings(deadline=None, max_examples=30)
@given(utc=instants)
def test_mjd_gps_and_unix_times_agree_with_astropy(utc):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = astropy_time(utc)
        assert_allclose(utc_to_mjd(utc, "tt"), theirs.tt.mjd, rtol=0, atol=2e-11)
        assert_allclose(utc_to_gps(utc), theirs.gps, rtol=0, atol=2e-6)
        # astropy stretches Unix time over a day that a leap second ends
        day = utc.astype("datetime64[D]")
        plain = from_utc(day + 1, "tai") - from_utc(day, "tai") == np.timedelta64(86400, "s")
        assert_allclose(utc_to_unix(utc)[plain], theirs.unix[plain], rtol=0, atol=2e-6)


@settings(deadline=None, max_examples=40)
@given(utc=instants)
def test_cdf_epochs_agree_with_cdflib(utc):
    texts = np.datetime_as_string(utc, unit="us")
    count = np.array([cdflib.cdfepoch.parse(f"{text}000") for text in texts]).reshape(-1)
    assert (tt2000_to_utc(count) == utc).all()
    assert (utc_to_tt2000(utc) == count).all()
    milliseconds = [float(np.ravel(cdflib.cdfepoch.parse(f"{text[:-3]}"))[0]) for text in texts]
    assert (cdf_epoch_to_utc(milliseconds) == utc.astype("datetime64[ms]")).all()


@given(utc=instants)
def test_cdf_epochs_come_back(utc):
    assert (np.abs((cdf_epoch_to_utc(utc_to_cdf_epoch(utc)) - utc).astype(int)) <= 8).all()
    assert (cdf_epoch16_to_utc(utc_to_cdf_epoch16(utc)) == utc).all()
    assert (tt2000_to_utc(utc_to_tt2000(utc)) == utc).all()


def test_an_epoch16_may_be_a_complex_number_and_none_is_nan():
    pairs = utc_to_cdf_epoch16(np.array(["2020-01-01T00:00:00.25", "NaT"], "datetime64[us]"))
    assert pairs[0].tolist() == [63_745_056_000.0, 0.25e12]
    assert np.isnan(pairs[1]).all()
    complex_ones = pairs[:, 0] + 1j * pairs[:, 1]
    assert cdf_epoch16_to_utc(complex_ones).astype(str).tolist() == ["2020-01-01T00:00:00.250000", "NaT"]
    assert cdf_epoch16_to_utc(complex_ones[0]).shape == ()
    assert cdf_epoch16_to_utc(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize("pairs", [[1.0, 2.0, 3.0], 5.0, [], [[1.0], [2.0]]])
def test_an_epoch16_is_two_numbers(pairs):
    with pytest.raises(ValueError, match=r"EPOCH16: found shape \(.*\), expected \(\.\.\., 2\)"):
        cdf_epoch16_to_utc(pairs)


def test_fills_nan_and_what_is_masked_are_no_instants():
    assert np.isnat(cdf_epoch_to_utc([-1e31, np.nan, np.inf])).all()
    assert np.isnat(cdf_epoch16_to_utc([[-1e31, -1e31]])).all()
    assert np.isnat(tt2000_to_utc([FILL, FILL + 1, FILL + 3])).all()
    assert np.isnat(mission_to_utc([np.nan, -np.inf], Clock(MJD_2020))).all()
    masked = np.ma.masked_array([1.0, 1.0], [False, True])
    for act in (unix_to_utc, gps_to_utc, mjd_to_utc, cdf_epoch_to_utc, lambda v: mission_to_utc(v, Clock(MJD_2020))):
        late = act(masked + 5e4) if act is mjd_to_utc else act(masked)
        assert np.isnat(late).tolist() == [False, True]
    assert np.isnat(tt2000_to_utc(np.ma.masked_array([0, 0], [False, True]))).tolist() == [False, True]


@pytest.mark.parametrize(("date", "fraction"), [(np.nan, 0.0), (1e300, 0.0), (1e16, 0.0), (5e4, 1e16), (5e4, np.nan)])
def test_a_date_that_no_calendar_holds_is_none(date, fraction):
    assert np.isnat(mjd_to_utc(date, fraction=fraction))


def test_no_instant_has_no_count():
    none = np.array(["NaT"], "datetime64[us]")
    for act in (utc_to_unix, utc_to_gps, utc_to_mjd, utc_to_cdf_epoch, lambda v: utc_to_mission(v, Clock(MJD_2020))):
        assert np.isnan(act(none)).all()
    assert utc_to_tt2000(none).tolist() == [FILL]


def test_tt2000_ends_in_2292_and_begins_in_1972():
    utc = np.array(["2292-01-01", "2500-01-01", "9999-01-01", "1971-01-01", "1972-01-02"], "datetime64[us]")
    count = utc_to_tt2000(utc)
    assert (count == FILL).tolist() == [False, True, True, True, False]
    assert (tt2000_to_utc(count[[0, -1]]) == utc[[0, -1]]).all()


@pytest.mark.parametrize("values", [[1.0], [np.nan], [True], ["1"], np.array([2**63], np.uint64)])
def test_tt2000_is_counted_in_whole_nanoseconds(values):
    with pytest.raises(ValueError, match=r"TT2000: found .*, expected int64"):
        tt2000_to_utc(values)
    assert tt2000_to_utc([]).shape == (0,)


FROM_NUMBERS = [unix_to_utc, gps_to_utc, mjd_to_utc, cdf_epoch_to_utc, lambda v: mission_to_utc(v, Clock(MJD_2020))]
TO_NUMBERS = [utc_to_unix, utc_to_gps, utc_to_mjd, utc_to_cdf_epoch, utc_to_cdf_epoch16, utc_to_tt2000]


@pytest.mark.parametrize("act", FROM_NUMBERS)
@pytest.mark.parametrize("values", [NEW_YEAR, ["1"], [1j], [None]])
def test_an_instant_is_no_number(act, values):
    with pytest.raises(ValueError, match=r"numbers: found .*, expected int or float"):
        act(values)


@pytest.mark.parametrize("act", TO_NUMBERS)
def test_a_number_is_no_instant(act):
    with pytest.raises(ValueError, match="instants: found int64, expected datetime64"):
        act([5])


@pytest.mark.parametrize("act", [*FROM_NUMBERS, *TO_NUMBERS[:4]])
def test_any_shape_comes_back(act):
    for shape in ((), (0,), (2, 3)):
        values = np.ones(shape) if act in FROM_NUMBERS else np.full(shape, NEW_YEAR)
        assert act(values).shape == shape


def test_a_date_of_utc_may_be_from_before_1972():
    assert mjd_to_utc(40000.0) == np.datetime64("1968-05-24", "us")
    assert np.isnat(mjd_to_utc(40000.0, "tt"))
