"""Instants mean the same in every time scale, leap seconds included."""

import warnings
from datetime import date, datetime

import erfa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.times import HELD_YEARS, SCALES, as_instants, as_ticks, from_utc, of_ticks, to_utc
from lake.utc_texts import format_utc, parse_utc, tai_of_text, text_of_tai
from tests.builders.instants import astropy_time, instants

LEAP = np.datetime64("2016-12-31T23:59:59.999999", "us")
scales = st.sampled_from(["tai", "tt", "tdb"])
ahead = pytest.mark.parametrize("scale", [scale for scale in SCALES if scale != "utc"])


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


def test_tdb_is_that_of_the_full_series_to_ten_microseconds():
    utc = np.arange("1972-01-02", "2060-01-01", 3, dtype="datetime64[D]").astype("datetime64[us]")
    tt = from_utc(utc, "tt")
    ours = (from_utc(utc, "tdb") - tt).astype(float)
    days = (tt - np.datetime64("2000-01-01T12", "us")).astype(float) / 86400e6
    theirs = erfa.dtdb(2451545.0, days, 0.0, 0.0, 0.0, 0.0) * 1e6
    assert np.abs(ours - theirs).max() < 10


@ahead
def test_before_1972_no_scale_with_leap_seconds_has_instants(scale):
    early = np.array(["1971-12-31", "1600-01-01", "NaT"], "datetime64[us]")
    assert np.isnat(to_utc(early, scale)).all()
    assert np.isnat(from_utc(early, scale)).all()
    assert (to_utc(early, "utc")[:2] == early[:2]).all()


@ahead
@pytest.mark.parametrize("ticks", [2**63 - 1, 2**63 - 20_000_000, 2**62, -(2**63) + 1, -(2**62)])
def test_an_instant_that_a_sum_could_wrap_round_is_none(scale, ticks):
    assert np.isnat(from_utc(of_ticks(np.array([ticks])), scale)).all()
    assert np.isnat(to_utc(of_ticks(np.array([ticks])), scale)).all()
    assert np.isnat(to_utc(of_ticks(np.array([ticks])), "utc")).all()


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s", "h", "D", "M", "Y"])
def test_an_instant_of_any_unit_is_the_same_or_none(unit):
    far = np.array([2**62, -(2**62)]).astype(f"datetime64[{unit}]")
    near = np.array(["2020-01-01"], "datetime64[D]").astype(f"datetime64[{unit}]")
    found = as_instants(np.concatenate([near, far]))
    assert found[0] == np.datetime64("2020-01-01", "us")
    assert np.isnat(found[1:]).all() == (unit != "ns")
    assert (as_ticks(found) == np.where(np.isnat(found), 0, found.astype(np.int64))).all()


def test_dates_texts_and_masked_instants_are_instants():
    assert as_instants([datetime(2020, 1, 1, 12), date(2020, 1, 1), None]).astype(str).tolist() == [
        "2020-01-01T12:00:00.000000", "2020-01-01T00:00:00.000000", "NaT",
    ]  # fmt: skip
    assert as_instants("2020-01-01") == np.datetime64("2020-01-01", "us")
    masked = np.ma.masked_array(np.array(["2020-01-01"] * 2, "datetime64[us]"), [False, True])
    assert np.isnat(from_utc(masked, "tai")).tolist() == [False, True]
    assert as_instants([]).shape == (0,)


@pytest.mark.parametrize(
    "act", [lambda v: to_utc(v, "tt"), lambda v: from_utc(v, "utc"), as_ticks, text_of_tai, format_utc]
)
@pytest.mark.parametrize("values", [5, [1.0], [True], [b"2020-01-01"], np.array([5], object), np.timedelta64(1, "s")])
def test_a_number_is_no_instant(act, values):
    with pytest.raises(ValueError, match=r"instants: found .*, expected datetime64"):
        act(values)


def test_ticks_are_whole():
    with pytest.raises(ValueError, match="ticks: found float64, expected int64"):
        of_ticks(np.array([0.5]))


def test_an_empty_list_has_no_instants():
    assert to_utc(np.array([], "datetime64[us]"), "tt").shape == (0,)
    assert text_of_tai(np.array([], "datetime64[us]")).shape == parse_utc([]).shape == (0,)


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
    with pytest.raises(ValueError, match="is no UTC instant such as"):
        parse_utc(text)


@pytest.mark.parametrize("texts", [["2020-01-01", "1971-12-31"], ["1971-12-31"], "1600-01-01T00:00:00Z"])
def test_one_text_from_before_1972_has_no_tai_whatever_the_others_have(texts):
    with pytest.raises(ValueError, match=r"(1971|1600).*before 1972 UTC has no whole offset"):
        tai_of_text(texts)
    assert not np.isnat(parse_utc(texts)).any()


def test_no_instant_has_no_text():
    assert text_of_tai(np.array(["NaT", "1971-01-01"], "datetime64[us]")).tolist() == ["NaT", "NaT"]
    assert format_utc(np.datetime64("NaT", "us")) == "NaT"


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


def test_the_last_year_that_is_held_is_held_and_the_next_is_not():
    years = np.datetime64("1970", "Y") + np.array([HELD_YEARS, HELD_YEARS + 1])
    assert np.isnat(as_instants(years)).tolist() == [False, True]
