"""Orbits by the elements of telemetry, and the times that are asked for."""

from math import tau

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq

from lake.clocks import mjd_to_utc, utc_to_mjd
from lake.kernels.earth import geocentric, geocentric_of_j2000, mean_of_date
from lake.kernels.orbits import (
    EPOCH_ZERO_MJD,
    KEYWORDS,
    Elements,
    elements_of,
    half_minute_times,
    position_j2000,
    sample_times,
)
from lake.readers import read

HEADER = {
    "EPCHTIME": 852046172.6852149, "MEANANOM": 4.936580013461865, "FDMEANAN": 1.73848199176486e-4, "SDMEANAN": 0.0,
    "ARGPERIG": 0.2146191666666667, "RCARGPER": 3.4085796844707e-7, "RASCASCN": 0.443245,
    "RCASCNRV": -2.0925513225504e-7, "ECCENTRY": 3.375e-4, "COSINCLI": 0.8790759837199418,
    "SINEINCL": 0.47668167034910913, "SEMILREC": 6942897.108750157,
}  # fmt: skip
# MJD, position [km], altitude [km], latitude and longitude [deg], without precession.
PASSES = [
    (55927.00, (-194.7283, -6141.9238, 3227.2567), 562.8173, 27.70771, 168.12385),
    (55927.01, (5459.8292, -4087.8101, 1296.8629), 564.6502, 10.76573, 219.50750),
    (55927.02, (6594.1475, 1350.2008, -1709.7078), 566.6047, -14.25209, 264.29187),
]
# Telemetry of STIS exposures, at their starts: position [km], altitude [km], latitude and longitude [deg] without and
# with precession.
EXPOSURES = [
    ("o4er06llq", (891.152, -6074.882, 3319.552), 601.712, (28.39799, 46.99258), (28.3965, 46.9746)),
    ("oc7w11viq", (949.178, -6319.828, 2666.003), 546.403, (22.64436, 4.71702), (22.6565, 4.8701)),
    ("ocoa03q2q", (-2924.539, -5639.879, 2728.692), 536.155, (23.24398, 29.26263), (23.2041, 29.4296)),
    ("octka7jeq", (-2634.042, 6028.540, -2152.424), 543.922, (-18.11667, 256.53572), (-18.1533, 256.7179)),
    ("octr11hrq", (-6532.579, 1320.064, 1845.509), 537.322, (15.47802, 212.69180), (15.3871, 212.9102)),
    ("ocmv0lw6q", (-2259.767, 6534.300, -174.237), 538.112, (-1.44358, 103.95658), (-1.4742, 104.1689)),
]
FIELDS = list(Elements.__annotations__)


def ellipse(eccentricity=0.0, inclination_rad=0.0, **more):
    """Elements of an orbit that stands still in space, one turn in 6000 s, at its perigee in 2010."""
    still = dict.fromkeys(FIELDS, 0.0) | {"epoch_s": (55197 - EPOCH_ZERO_MJD) * 86400, "mean_motion_rad_s": tau / 6000}
    shape = {"eccentricity": eccentricity, "inclination_rad": inclination_rad, "semi_latus_rectum_m": 7e6}
    return Elements(**(still | shape | more))


def after_s(seconds):
    """Dates some seconds after the epoch of `ellipse`."""
    return 55197 + np.asarray(seconds) / 86400


def test_an_orbit_passes_where_its_elements_put_it():
    mjd, position, *seen = (np.array(column) for column in zip(*PASSES, strict=True))
    found = position_j2000(elements_of(HEADER), mjd)
    assert_allclose(found, position, rtol=0, atol=1e-3)
    longitude, latitude, altitude = geocentric_of_j2000(found, mjd)
    assert_allclose(altitude, seen[0], rtol=0, atol=1e-3)
    assert_allclose([latitude, longitude], seen[1:], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("root", "position", "altitude", "published", "true"), EXPOSURES)
def test_hubble_was_where_its_telemetry_puts_it(root, position, altitude, published, true, data):
    orbit = elements_of(read(data(f"hst/spt/{root}_spt.fits")).header)
    start = read(data(f"hst/spt/{root}_raw.fits")).part("SCI").header["EXPSTART"]
    found = position_j2000(orbit, start)
    assert_allclose(found, position, rtol=0, atol=1e-3)
    for (longitude, latitude, height), place in [
        (geocentric_of_j2000(found, start), published),
        (geocentric(mean_of_date(found, start), start), true),
    ]:
        assert_allclose((latitude, longitude), place, rtol=0, atol=1e-4)
        assert_allclose(height, altitude, rtol=0, atol=1e-3)


def test_telemetry_says_nothing_else_of_the_shape_of_the_orbit(data):
    for root, *_ in EXPOSURES:
        header = read(data(f"hst/spt/{root}_spt.fits")).header
        e = header["ECCENTRY"]
        said = [header[key] for key in ("ECCENTX2", "ECBDX3", "ECBDX4D3", "ESQDX5D2", "HSTHORB")]
        assert_allclose(said, [2 * e, 3 * e**3, 4 / 3 * e**3, 5 / 2 * e**2, 0.5 / header["FDMEANAN"]], rtol=1e-11)


@given(e=st.floats(0, 0.05), turn=st.floats(0, 1))
def test_the_true_anomaly_is_keplers_to_the_fourth_power_of_the_eccentricity(e, turn):
    x, y, _ = position_j2000(ellipse(e), after_s(6000 * turn))
    mean = tau * (after_s(6000 * turn) - 55197) * 86400 / 6000
    eccentric = brentq(lambda angle: angle - e * np.sin(angle) - mean, mean - 1, mean + 1, xtol=1e-14)
    true = np.arctan2(np.sqrt(1 - e**2) * np.sin(eccentric), np.cos(eccentric) - e)
    apart = (np.arctan2(y, x) - true + np.pi) % tau - np.pi
    assert abs(apart) <= 5 * e**4 + 1e-9


@given(e=st.floats(0, 0.3), inclination=st.floats(0, np.pi), node=st.floats(0, tau), perigee=st.floats(0, tau))
def test_an_orbit_that_stands_still_is_an_ellipse_in_its_plane_gone_around_eastward(e, inclination, node, perigee):
    orbit = ellipse(e, inclination, node_rad=node, perigee_rad=perigee)
    place = position_j2000(orbit, after_s(np.linspace(0, 6000, 200)))
    radius = np.linalg.norm(place, axis=-1)
    assert_allclose([radius.min(), radius.max()], [7000 / (1 + e), 7000 / (1 - e)], rtol=2e-3)
    pole = [np.sin(node) * np.sin(inclination), -np.cos(node) * np.sin(inclination), np.cos(inclination)]
    assert_allclose(place @ pole, 0, atol=1e-8)
    assert (np.cross(place[:-1], place[1:]) @ pole > 0).all()
    assert_allclose(place[-1], place[0], rtol=0, atol=0.02)
    nearest = [np.cos(node) * np.cos(perigee) - np.sin(node) * np.cos(inclination) * np.sin(perigee)]
    assert_allclose(place[0, :1] / radius[0], nearest, atol=1e-9)


RATES = [
    ("mean_motion_rate_rad_s2", "mean_anomaly_rad", 5e5), ("perigee_rate_rad_s", "perigee_rad", 1e3),
    ("node_rate_rad_s", "node_rad", 1e3),
]  # fmt: skip


@pytest.mark.parametrize(("rate", "angle", "factor"), RATES)
def test_a_rate_has_moved_its_angle_in_a_thousand_seconds(rate, angle, factor):
    moved = position_j2000(ellipse(0.01, 0.5, **{rate: 1e-7}), after_s(1000))
    assert_allclose(moved, position_j2000(ellipse(0.01, 0.5, **{angle: factor * 1e-7}), after_s(1000)), rtol=1e-8)


def test_no_time_is_no_place_and_the_times_are_left_as_they_were():
    mjd = np.ma.masked_array([55927.0, np.nan, np.inf, 55927.0], [False, False, False, True])
    found = position_j2000(ellipse(), mjd)
    assert np.isnan(found).all(-1).tolist() == [False, True, True, True]
    assert np.isinf(mjd.data[2])
    assert position_j2000(ellipse(), []).shape == (0, 3)
    assert position_j2000(ellipse(), np.full((2, 4), 55927.0)).shape == (2, 4, 3)


@pytest.mark.parametrize("key", KEYWORDS)
@pytest.mark.parametrize("value", [None, "", "1.0", np.nan, -np.inf, True])
def test_telemetry_without_an_orbit_is_refused_by_the_keyword_that_is_none(key, value):
    with pytest.raises(ValueError, match=rf"found {key} = .*, expected finite numbers"):
        elements_of(HEADER | {key: value})


def test_all_keywords_that_a_header_lacks_are_named():
    with pytest.raises(ValueError, match=r"EPCHTIME = None, MEANANOM = None.*SEMILREC = None"):
        elements_of({})


@pytest.mark.parametrize(("wrong", "said"), [
    ({"ECCENTRY": 1.0}, "eccentricity 1.0"), ({"ECCENTRY": -0.1}, "eccentricity -0.1"),
    ({"SEMILREC": 0.0}, "semi-latus rectum 0.0"), ({"COSINCLI": 0.0, "SINEINCL": 0.0}, "squares that sum to 1"),
])  # fmt: skip
def test_what_is_no_ellipse_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        elements_of(HEADER | wrong)


exposures = st.tuples(st.floats(48000, 62000), st.floats(0, 10_000 / 86400)).map(lambda pair: (pair[0], sum(pair)))


@given(ends=exposures, step_s=st.floats(0.5, 600))
def test_an_exposure_is_sampled_at_both_ends_and_no_wider_than_the_step(ends, step_s):
    mjd = sample_times(*ends, step_s)
    assert len(mjd) >= 2
    assert (mjd[0], mjd[-1]) == ends
    assert np.diff(mjd).max() * 86400 <= step_s + 2e-6
    assert len(mjd) <= (ends[1] - ends[0]) * 86400 / step_s + 2 + 1e-6


@pytest.mark.parametrize(("seconds", "n"), [(0, 5), (59, 5), (61, 2), (119, 2), (121, 4), (1000, 32), (1235, 40)])
def test_published_catalogues_have_two_times_a_minute(seconds, n):
    mjd = half_minute_times(50000.0, 50000 + seconds / 86400)
    assert len(mjd) == n
    assert (mjd[0], mjd[-1]) == (50000.0, 50000 + seconds / 86400)
    assert_allclose(np.diff(mjd), seconds / 86400 / (n - 1), atol=1e-10)


@given(ends=exposures)
def test_a_time_survives_as_an_instant_to_a_millisecond(ends):
    mjd = sample_times(*ends)
    assert np.abs(utc_to_mjd(mjd_to_utc(mjd)) - mjd).max() * 86400 < 1e-3


def test_times_of_a_long_exposure_are_four_in_single_precision():
    mjd = half_minute_times(55927.0, 55927 + 1000 / 86400)
    assert len(np.unique(mjd)) == 32
    assert len(np.unique(mjd.astype(np.float32))) == 4


@pytest.mark.parametrize("act", [sample_times, half_minute_times])
@pytest.mark.parametrize("ends", [(5e4, np.nan), (np.nan, 5e4), (5e4, np.inf), (5e4 + 1e-9, 5e4)])
def test_an_exposure_that_does_not_end_is_refused(act, ends):
    with pytest.raises(ValueError, match=r"times: found .* expected two dates in order"):
        act(*ends)


@pytest.mark.parametrize("step_s", [0.0, -1.0, np.nan])
def test_a_step_that_leads_nowhere_is_refused(step_s):
    with pytest.raises(ValueError, match="expected one above 0"):
        sample_times(5e4, 5e4 + 1, step_s)


def test_a_place_is_the_same_alone_and_among_others():
    orbit, mjd = elements_of(HEADER), np.linspace(55920, 55930, 50)
    assert_array_equal(position_j2000(orbit, mjd), [position_j2000(orbit, one) for one in mjd])
