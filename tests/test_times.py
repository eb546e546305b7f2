"""Instants mean the same in every time scale, leap seconds included."""

import warnings

import cdflib
import numpy as np
import pytest
from astropy.time import Time
from astropy.utils.iers import conf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lake.clocks import (
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
from lake.times import format_utc, from_utc, parse_utc, tai_of_text, text_of_tai, to_utc

LEAP = np.datetime64("2016-12-31T23:59:59.999999", "us")
microseconds = st.integers(
    int(np.datetime64("1972-01-02", "us").astype(int)), int(np.datetime64("2040-01-01", "us").astype(int))
)
instants = st.lists(microseconds, min_size=1, max_size=20).map(lambda ticks: np.array(ticks, "datetime64[us]"))
scales = st.sampled_from(["tai", "tt", "tdb"])


def astropy_time(utc: np.ndarray) -> Time:
    with conf.set_temp("auto_download", False), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "dubious year": no leap seconds are announced that far ahead
        return Time(np.datetime_as_string(utc, unit="us"), scale="utc")


@settings(deadline=None, max_examples=60)
@given(utc=instants, scale=scales)
def test_every_scale_differs_from_utc_by_what_astropy_says(utc, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(astropy_time(utc), scale)
        # isot of the scale itself, so that its calendar is compared and no float
        theirs.precision = 6
        expected = theirs.isot.astype("datetime64[us]")
    tolerance = 12 if scale == "tdb" else 1
    assert (np.abs((from_utc(utc, scale) - expected).astype(int)) <= tolerance).all()


@given(utc=instants, scale=st.sampled_from(["utc", "tai", "tt", "tdb", "gps"]))
def test_there_and_back_is_the_same_instant(utc, scale):
    back = to_utc(from_utc(utc, scale), scale)
    assert (np.abs((back - utc).astype(int)) <= (1 if scale == "tdb" else 0)).all()


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


def test_times_in_days_keep_their_microseconds():
    clock = Clock.of_header({"MJDREFI": 50000, "TIMEUNIT": "d", "TIMESYS": "UTC", "TIMEZERO": 0.5})
    assert mission_to_utc(814.25, clock) == np.datetime64("1998-01-01T18", "us")


@pytest.mark.parametrize(
    "header", [{}, {"MJDREF": 50814.0, "TIMESYS": "LST"}, {"MJDREF": 50814.0, "TIMEUNIT": "fortnight"}]
)
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


def test_fills_and_nan_are_no_instants():
    assert np.isnat(cdf_epoch_to_utc([-1e31, np.nan, np.inf])).all()
    assert np.isnat(cdf_epoch16_to_utc([[-1e31, -1e31]])).all()
    assert np.isnat(tt2000_to_utc([np.iinfo(np.int64).min, np.iinfo(np.int64).min + 3])).all()
    assert np.isnat(mjd_to_utc([np.nan, 1e300])).all()
    assert utc_to_tt2000(np.datetime64("NaT")) == np.iinfo(np.int64).min
    assert np.isnan(utc_to_unix(np.datetime64("NaT", "us")))
    assert to_utc(np.array([], "datetime64[us]"), "tt").shape == (0,)


def test_before_1972_only_scales_without_leap_seconds_have_instants():
    assert np.isnat(to_utc(np.datetime64("1971-06-01", "us"), "tt"))
    assert mjd_to_utc(40000.0) == np.datetime64("1968-05-24", "us")


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="not known"):
        to_utc(np.datetime64("2000-01-01", "us"), "lst")


@given(part=st.integers(0, 999_999))
def test_an_instant_in_a_leap_second_keeps_its_date_and_order(part):
    before, after = tai_of_text(["2016-12-31T23:59:59.999999", "2017-01-01T00:00:00"])
    inside = tai_of_text(f"2016-12-31T23:59:60.{part:06d}")
    assert before < inside < after
    assert to_utc(inside, "tai") == LEAP
    assert parse_utc(f"2016-12-31T23:59:60.{part:06d}") == LEAP


@given(ticks=st.integers(-3_000_000, 3_000_000))
def test_text_of_tai_reads_back_around_a_leap_second(ticks):
    tai = tai_of_text("2017-01-01T00:00:00") + np.timedelta64(ticks, "us")
    assert tai_of_text(str(text_of_tai(tai))) == tai


def test_half_a_leap_second_is_written_as_second_60():
    tai = tai_of_text(["2016-12-31T23:59:60.5", "2012-06-30T23:59:60"])
    assert text_of_tai(tai).tolist() == ["2016-12-31T23:59:60.500000", "2012-06-30T23:59:60.000000"]


@pytest.mark.parametrize("text", ["2015-12-31T23:59:60", "2016-12-31T12:00:60", "1969-12-31T23:59:60"])
def test_a_second_60_that_never_was_is_refused(text):
    with pytest.raises(ValueError, match="no second was inserted"):
        parse_utc(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2016-13-01T00:00:00", "2016-12-31T23:59:61", "20161231"])
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - numpy words its own
        parse_utc(text)


@given(utc=instants)
def test_text_reads_back(utc):
    assert (parse_utc(format_utc(utc)) == utc).all()


def test_shorter_texts_are_instants_too():
    assert parse_utc(
        ["2008-10-04", "2008-10-04T00:44", "2008-10-04 00:44:07Z", "2008-10-04T00:44:07.123456789"]
    ).tolist() == (
        np.array(
            ["2008-10-04", "2008-10-04T00:44", "2008-10-04T00:44:07", "2008-10-04T00:44:07.123456"], "datetime64[us]"
        ).tolist()
    )
