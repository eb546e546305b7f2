"""Two-line elements: what is a good set, which is nearest, and whether they agree with telemetry."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import ITRS, TEME, CartesianRepresentation
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from lake.kernels.earth import geodetic, mean_of_date
from lake.kernels.orbits import elements_of, position_j2000
from lake.kernels.tles import nearest, parse_tles, tle_position
from lake.readers import read

LINE_1 = "1 20580U 90037B   16339.71507825  .00000569  00000-0  24274-4 0  9994"
LINE_2 = "2 20580  28.4727 212.4031 0002988 232.3434 127.6871 15.08612858260888"
EPOCH = 57726.71507825
ROOTS = (
    "oc7w11viq", "ocmv0lw6q", "ocoa03q2q", "octka7jeq", "octr11h4q", "octr11hrq", "ocu252cmq", "ocui04xeq",
    "ocyw05afq", "od3v01bfq",
)  # fmt: skip


def checked(line):
    """A line whose last digit is right."""
    from sgp4.io import fix_checksum

    return fix_checksum(line)


def dated(year, day):
    """Hubble's first line with another epoch."""
    return checked(f"{LINE_1[:18]}{year:02d}{day:012.8f}{LINE_1[32:]}")


def problems(text):
    """Places and reasons of what was left out."""
    return [(problem.place, problem.reason) for problem in parse_tles(text)[1]]


@pytest.fixture(scope="module")
def hubble(data):
    """Hubble's sets of 2009 to 2016."""
    return parse_tles(data("hst/hst_tle_2009_2016.txt").read_text())


def test_every_set_of_hubble_is_good_and_of_the_epoch_that_sgp4_reads(hubble):
    from sgp4.api import Satrec

    columns, wrong = hubble
    assert wrong == ()
    assert len(columns["epoch_mjd"]) == 2161
    sets = [Satrec.twoline2rv(*map(str, pair)) for pair in zip(columns["line_1"], columns["line_2"], strict=True)]
    theirs = [one.jdsatepoch - 2400000.5 + one.jdsatepochF for one in sets]
    assert_allclose(columns["epoch_mjd"], theirs, rtol=0, atol=1e-8)


TEXT = f"HST\n{LINE_1}\n{LINE_2}\n"
DIGITS = [i for i, character in enumerate(TEXT) if character.isdigit() and TEXT[i - 1] != "\n"]


@given(at=st.sampled_from(DIGITS), more=st.integers(1, 9))
def test_a_digit_that_is_another_is_found_and_its_line_named(at, more):
    columns, (wrong,) = parse_tles(f"{TEXT[:at]}{(int(TEXT[at]) + more) % 10}{TEXT[at + 1 :]}")
    assert not len(columns["line_1"])
    assert wrong.place == ("line 2" if at < 4 + len(LINE_1) else "line 3")
    assert "checksum" in wrong.reason


def test_a_bad_set_takes_no_good_one_with_it():
    text = "\r\n".join(["HST", LINE_1, LINE_2, "", LINE_1[:-1] + "5", LINE_2, "HST", dated(16, 340.0), LINE_2, ""])
    columns, _ = parse_tles(text)
    assert_allclose(columns["epoch_mjd"], [EPOCH, 57727.0], rtol=0, atol=1e-8)
    assert columns["line_1"].tolist() == [LINE_1, dated(16, 340.0)]
    assert columns["line_2"].tolist() == [LINE_2, LINE_2]
    assert problems(text) == [("line 5", "found checksum 5, expected 4")]


@pytest.mark.parametrize(("lines", "place", "reason"), [
    ([LINE_1], 1, "found line 1 of a set, expected the other beside it"),
    ([LINE_2], 1, "found line 2 of a set, expected the other beside it"),
    ([LINE_1, LINE_1, LINE_2], 1, "found line 1 of a set, expected the other beside it"),
    ([LINE_1, LINE_2, LINE_2], 3, "found line 2 of a set, expected the other beside it"),
    ([LINE_1, LINE_2[:-1]], 2, "found 68 characters, expected 69 of ASCII"),
    ([LINE_1.replace("U", "Ü"), LINE_2], 1, "found 69 characters, expected 69 of ASCII"),
    ([LINE_1, checked(LINE_2.replace("20580", "20581", 1))], 1, "found satellite 20580, expected 20581 as in the next"),
    ([dated(16, 0.5), LINE_2], 1, "found epoch '16000.50000000', expected a year of two digits and its day from 1"),
    ([checked(LINE_1.replace("16339", "x6339")), LINE_2], 1,
     "found epoch 'x6339.71507825', expected a year of two digits and its day from 1"),
])  # fmt: skip
def test_what_is_no_set_is_told_of_by_its_line(lines, place, reason):
    assert problems("\n".join(lines)) == [(f"line {place}", reason)]


@pytest.mark.parametrize(("year", "day", "date"), [
    (57, 1.0, "1957-01-01"), (99, 365.5, "1999-12-31T12:00"), (0, 1.0, "2000-01-01"), (16, 366.25, "2016-12-31T06:00"),
    (56, 32.0, "2056-02-01"),
])  # fmt: skip
def test_years_are_of_the_century_in_which_satellites_fly(year, day, date):
    columns, _ = parse_tles(f"{dated(year, day)}\n{LINE_2}")
    assert_allclose(columns["epoch_mjd"], [Time(date, scale="tt").mjd], rtol=0, atol=1e-9)


def test_a_text_without_sets_has_columns_without_rows():
    columns, wrong = parse_tles("HST\n")
    assert [(name, column.shape, column.dtype.kind) for name, column in columns.items()] == [
        ("epoch_mjd", (0,), "f"), ("line_1", (0,), "U"), ("line_2", (0,), "U"),
    ]  # fmt: skip
    assert wrong == ()


epochs = st.lists(st.integers(0, 40).map(float), min_size=1, max_size=8)


@given(epoch=epochs, mjd=st.lists(st.integers(-40, 200).map(lambda n: n / 4), max_size=8), most=st.floats(0, 10))
def test_no_set_is_nearer_than_the_nearest(epoch, mjd, most):
    for one, found in zip(mjd, nearest(epoch, mjd, most), strict=True):
        away = [abs(one - other) for other in epoch]
        near = [i for i, days in enumerate(away) if days == min(away) and days <= most]
        assert found == min(near, key=lambda i: (epoch[i], i), default=-1)


def test_nothing_is_near_a_time_or_a_set_that_is_unknown():
    assert nearest([1.0, np.nan, 2.0], [np.nan, 1.9, np.inf, 1.0]).tolist() == [-1, 2, -1, 0]
    assert nearest([], [1.0]).tolist() == nearest([np.nan], [1.0]).tolist() == [-1]


@pytest.mark.parametrize("root", ROOTS)
def test_telemetry_and_two_line_elements_agree_to_six_kilometres_and_not_without_precession(root, hubble, data):
    header = read(data(f"hst/spt/{root}_spt.fits")).header
    start = read(data(f"hst/spt/{root}_raw.fits")).part("SCI").header["EXPSTART"]
    by_telemetry = position_j2000(elements_of(header), start)
    by_tle = tle_position(hubble[0]["line_1"], hubble[0]["line_2"], start, most_days=1.0)
    assert np.linalg.norm(mean_of_date(by_telemetry, start) - by_tle) <= 6
    assert 15 < np.linalg.norm(by_telemetry - by_tle) < 32


def test_two_line_elements_put_hubble_where_astropy_turns_them_to(hubble):
    mjd = np.linspace(55100, 57700, 60)
    place = tle_position(hubble[0]["line_1"], hubble[0]["line_2"], mjd, most_days=9.0)
    with iers.conf.set_temp("auto_download", False):
        time = Time(mjd, format="mjd", scale="utc")
        at = TEME(CartesianRepresentation(place.T * u.km), obstime=time).transform_to(ITRS(obstime=time)).earth_location
    longitude, latitude, altitude = geodetic(place, mjd)
    # UTC stands for UT1, and the pole wanders
    assert np.abs((longitude - at.lon.deg + 180) % 360 - 180).max() < 360 * 0.9 / 86400
    assert_allclose(latitude, at.lat.deg, rtol=0, atol=3e-4)
    assert_allclose(altitude, at.height.to_value(u.km), rtol=0, atol=0.02)
    assert ((altitude > 530) & (altitude < 580) & (np.abs(latitude) < 28.7)).all()


def test_each_time_is_given_its_own_nearest_set(hubble):
    from sgp4.api import Satrec

    columns, _ = hubble
    mjd = np.array([[56000.0, 57000.0], [55500.5, 56000.0]])
    found = tle_position(columns["line_1"], columns["line_2"], mjd)
    for index in np.ndindex(2, 2):
        one = np.abs(columns["epoch_mjd"] - mjd[index]).argmin()
        satellite = Satrec.twoline2rv(str(columns["line_1"][one]), str(columns["line_2"][one]))
        assert_allclose(found[index], satellite.sgp4(2400000.5, mjd[index])[1], rtol=1e-12)
    back = tle_position(columns["line_1"][::-1], columns["line_2"][::-1], mjd)
    assert_array_equal(found, back)


def test_sets_three_days_apart_agree_to_a_kilometre_in_most_cases(hubble):
    columns, _ = hubble
    epoch, far = columns["epoch_mjd"], []
    for i in range(0, len(epoch), 10):
        j = int(np.abs(epoch - epoch[i] - 3).argmin())
        if abs(epoch[j] - epoch[i] - 3) < 0.9:
            one, two = (tle_position([columns["line_1"][k]], [columns["line_2"][k]], epoch[j], 9.0) for k in (i, j))
            far.append(np.linalg.norm(one - two))
    assert len(far) > 150
    assert 0.5 < np.median(far) < 1.5
    assert np.mean(np.array(far) < 8) > 0.97


def test_a_time_without_a_set_is_nowhere():
    mjd = [EPOCH - 3.1, EPOCH - 2.9, np.nan, EPOCH + 2.9, EPOCH + 3.1, np.inf]
    place = tle_position([LINE_1], [LINE_2], mjd)
    assert np.isnan(place).all(-1).tolist() == [True, False, True, False, True, True]
    assert not np.isnan(tle_position([LINE_1], [LINE_2], EPOCH + 3.1, most_days=3.2)).any()
    assert np.isnan(tle_position([], [], mjd)).all()


def test_an_orbit_for_which_the_theory_fails_is_nowhere():
    falling = checked(LINE_2.replace("15.0861", "17.5861"))
    assert np.isnan(tle_position([LINE_1], [falling], [EPOCH])).all()


@pytest.mark.parametrize(("act", "said"), [
    (lambda: tle_position([LINE_1], [], 5e4), r"shapes \(1,\) and \(0,\), expected one shape \(n,\)"),
    (lambda: tle_position(LINE_1, LINE_2, 5e4), r"shapes \(\) and \(\)"),
    (lambda: tle_position([LINE_2], [LINE_1], 5e4), "found epoch"),
    (lambda: nearest([[1.0]], 1.0), r"found shape \(1, 1\), within 3.0 d"),
    (lambda: nearest([1.0], 1.0, np.nan), "within nan d; expected"),
    (lambda: nearest([1.0], 1.0, -1.0), "within -1.0 d; expected"),
])  # fmt: skip
def test_what_is_no_set_is_refused(act, said):
    with pytest.raises(ValueError, match=said):
        act()
